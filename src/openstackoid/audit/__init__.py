"""Reads lines of audit files, for commands and the gateway: whole and damaged lines, filters, and pages of the newest."""
