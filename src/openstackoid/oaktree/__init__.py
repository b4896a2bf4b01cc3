"""One gRPC API for many clouds: lists everywhere, creates everywhere, waits without polling.

openstacksdk talks to the clouds; the definitions in `proto/` say what callers see; this package is what lies between.
"""
