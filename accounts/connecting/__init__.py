"""Connecting of accounts, step by step, by what a pending connection has and its platform answers."""
