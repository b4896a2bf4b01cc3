"""Agreements with clouds of other owners."""
