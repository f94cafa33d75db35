"""Pauses: gates, and what their closing and opening does to posts."""
