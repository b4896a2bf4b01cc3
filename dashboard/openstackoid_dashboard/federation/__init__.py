"""The dashboard Federation."""
