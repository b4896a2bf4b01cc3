"""Quotas of virtual regions, at their provider."""
