"""Errors of the panels. Horizon's settings name them, before Django is ready: nothing is imported here."""


class FederationError(Exception):
    """A request that was refused, or not answered; the message is for people.

    Attributes:
        reason: the message as the service wrote it; it may begin with the place of a fault, as in `$.location.country: expected ...`.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason
