"""Imports: up to 10,000 posts of a file or a list, created together."""
