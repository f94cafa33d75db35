"""Connecting accounts: what clients ask for, and the answers."""
