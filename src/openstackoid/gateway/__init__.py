"""The data plane: a proxy in front of a cloud's services that reads scopes and routes each request to the cloud that its scope names."""
