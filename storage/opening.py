"""The store that a setting names."""

from pathlib import Path

from storage.base import Storage
from storage.directory import DirectoryStorage

_FILE = "file:"


def parse_address(address: str) -> Path:
    """Return the directory of `file:DIR`. Raises ValueError."""
    directory = Path(address.removeprefix(_FILE))
    if not address.startswith(_FILE) or not directory.is_absolute():
        raise ValueError("must be file: and the whole path of a directory, as file:/media")
    return directory


def open_storage(address: str) -> Storage:
    """Return the store of an address. Nothing is asked of it yet. Raises ValueError."""
    return DirectoryStorage(parse_address(address))
