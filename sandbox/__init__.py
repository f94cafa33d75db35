"""A server that behaves like the networks: their requests and answers, their limits and their failures."""
