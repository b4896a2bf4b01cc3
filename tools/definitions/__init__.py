"""Makes oaktree's definitions and stubs from openstacksdk's own classes: `.venv/bin/python -m tools.definitions`."""
