"""Requests a second: of one process, or of all workers and machines that share a Redis. The gateway and oaktree stand on it."""
