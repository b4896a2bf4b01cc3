"""What the gateway costs, measured in one run against no proxy and against a bare aiohttp forwarder."""
