"""Abuse of a running API: one module for each kind. Run it with `uv run python -m benchmarks.abuse`."""
