"""Queues, and the posts in their slots."""
