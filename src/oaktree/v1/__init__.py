"""Messages and stubs of the API, made by tools/definitions from proto/oaktree/v1."""
