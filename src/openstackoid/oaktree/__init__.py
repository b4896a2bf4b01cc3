"""One gRPC API for many clouds: lists everywhere, creates everywhere, waits without polling.

openstacksdk sends the requests to the clouds, and the definitions in `proto/` define the API for callers; this package connects the two.
"""
