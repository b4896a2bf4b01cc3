"""The services that callers see."""
