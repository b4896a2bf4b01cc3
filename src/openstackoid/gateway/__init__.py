"""The data plane: what stands in front of a cloud's services, reads scopes and sends each request where it belongs."""
