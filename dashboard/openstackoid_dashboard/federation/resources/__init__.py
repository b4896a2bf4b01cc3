"""Servers and images of all clouds."""
