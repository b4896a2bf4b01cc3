"""The domain model, without I/O: scopes, service types, catalogs, routing, and the tree of errors."""
