"""Contracts about virtual regions, of either side."""
