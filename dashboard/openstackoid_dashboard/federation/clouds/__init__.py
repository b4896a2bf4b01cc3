"""The peers of this cloud."""
