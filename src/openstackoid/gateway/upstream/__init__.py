"""Requests to a backend or a peer, and the handling of their answers."""
