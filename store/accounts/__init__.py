"""Accounts: connected, checked, renewed, refused and removed."""
