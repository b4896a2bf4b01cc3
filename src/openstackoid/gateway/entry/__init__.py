"""Where requests come in: connections, listeners, the service of a path, headers and scope."""
