"""Publish marked posts on a real account, look at them, delete them, and say what was not as the adapter believes."""
