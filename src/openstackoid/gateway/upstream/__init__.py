"""Requests to a backend or a peer, and what becomes of their answers."""
