"""Requests to clouds: connections, deadlines, rate limits, and failures."""
