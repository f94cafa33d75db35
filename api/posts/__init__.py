"""Posts: the endpoints, what clients write, what they read, and what they do."""
