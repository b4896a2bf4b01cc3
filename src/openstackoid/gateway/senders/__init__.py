"""The sender of a request, one file for each kind of token, and the rights that the sender has."""
