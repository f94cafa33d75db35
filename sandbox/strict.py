"""Parameters of a request that the platform does not know: with --strict they are refused instead of ignored.

Most platforms ignore parameters that they do not know, so a misspelt parameter looks like success. Here a parameter is
unknown if no handler has read it: the handlers read every name that the platform documents, or it is listed as known
and without effect.
"""

from collections.abc import Iterator
from typing import Any


class TrackedParameters(dict[str, Any]):
    """Parameters that record which of them were read. A loop over all of them counts as reading them all."""

    __slots__ = ("read",)

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        """Return a value and record its name as read."""
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, otherwise: Any = None) -> Any:
        """Return a value, or the default, and record its name as read."""
        self.read.add(name)
        return super().get(name, otherwise)

    def __contains__(self, name: object) -> bool:
        """Return whether there is a value of this name, and record the name as read."""
        self.read.add(str(name))
        return super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        """Iterate over all names, and record them as read."""
        self.read.update(super().__iter__())
        return super().__iter__()

    def keys(self) -> Any:
        """Return all names, and record them as read."""
        self.read.update(super().__iter__())
        return super().keys()

    def items(self) -> Any:
        """Return all values with their names, and record them as read."""
        self.read.update(super().__iter__())
        return super().items()

    def values(self) -> Any:
        """Return all values, and record their names as read."""
        self.read.update(super().__iter__())
        return super().values()

    def raw(self) -> dict[str, Any]:
        """Return all parameters and record nothing."""
        return dict(zip(super().__iter__(), super().values(), strict=True))

    def unread(self) -> set[str]:
        """Return the names that no handler has read."""
        return set(super().__iter__()) - self.read
