"""The servers of platforms: their addresses, and the transports of one process that reach them."""
