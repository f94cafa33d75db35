"""Bring a post's media to disk safely, say what it is, and change it where a platform demands that."""
