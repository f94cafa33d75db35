"""Uploads: their rows, the workspace's quota, and the claims of the processes that write their bytes."""
