"""Whose request it is, one file for each kind of token, and what may go on with it."""
