"""A server that behaves like the platforms: their requests and answers, their limits and their failures."""
