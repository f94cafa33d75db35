"""The bodies of requests: reading them, and checking them against the rules of the platforms."""
