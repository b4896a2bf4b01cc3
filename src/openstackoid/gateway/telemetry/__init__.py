"""Audit, metrics, and loops that show their age."""
