"""A cache of the answers of clouds."""
