"""Queries over the posts of all workspaces, for background tasks, the doctor and operators."""
