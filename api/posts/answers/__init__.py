"""The answers about posts: as JSON, and their history as sentences."""
