"""Accounts as rows and their platforms' rules describe them, their credentials, and how they are connected."""
