"""Uploaded bytes, kept for a while so that the page can show them."""

from collections import OrderedDict

BYTES_KEPT = 128 * 1024 * 1024
LARGEST_KEPT = 16 * 1024 * 1024


class Uploads:
    """The newest uploads in memory, by a name that ends in their file extension."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, tuple[str, bytes]] = OrderedDict()
        self._size = 0

    def keep(self, name: str, content_type: str, content: bytes) -> str | None:
        """Keep an upload and return the sandbox's address of it, or None if it is too large to keep."""
        if len(content) > LARGEST_KEPT or name in self._files:
            return None
        self._files[name] = (content_type, content)
        self._size += len(content)
        while self._size > BYTES_KEPT:
            _, (_, dropped) = self._files.popitem(last=False)
            self._size -= len(dropped)
        return f"/_/uploads/{name}"

    def get(self, name: str) -> tuple[str, bytes] | None:
        """Return content type and bytes, or None if they are no longer kept."""
        return self._files.get(name)
