"""The functions in the database through which every post is created, sent and settled.

A migration installs each. One that is installed is never changed, because old processes go on calling it while a new
version is rolled out. A change is a new file, `…_v2`, and a migration of its own; a migration of a later release drops
the old function.
"""

from pathlib import Path


def source(name: str) -> str:
    """Return the statement that creates a function."""
    return (Path(__file__).parent / f"{name}.sql").read_text()
