"""Audit, metrics, and background loops with a metric of their age."""
