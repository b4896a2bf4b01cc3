"""Errors of the panels. Horizon's settings name them, before Django is ready: nothing is imported here."""


class FederationError(Exception):
    """A request that was refused, or not answered; the message is for people."""
