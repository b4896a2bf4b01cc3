"""Listeners of a server, authentication of callers, and their policies."""
