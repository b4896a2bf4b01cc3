"""Decisions of the gateway that are taught to the HAProxy in front of it."""
