"""Secrets: sealed in rows, handed over between the API and the worker, and masked in logs."""
