"""A server that behaves like the networks: their wire, their limits, their ways to fail."""
