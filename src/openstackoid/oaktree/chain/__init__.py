"""Calls to other oaktrees, whose clouds are served here as well."""
