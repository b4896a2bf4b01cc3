"""Webhooks: an HTTP request to configured addresses when an operation has ended. See docs/adr/0051-webhooks.md."""
