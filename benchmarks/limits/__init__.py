"""The cost of limits of requests, and of a flood of one key."""
