"""The functions in the database through which every post is created, sent and settled.

A migration installs each of them. An installed function is never changed, because old processes call it while a new
version is rolled out. A change is a new file, `…_v2`, and a migration of its own. A migration of a later release drops
the old function.
"""

from pathlib import Path


def source(name: str) -> str:
    """Return the statement that creates a function."""
    return (Path(__file__).parent / f"{name}.sql").read_text()
