"""What a request says that the network has no ear for: with --strict it is refused instead of ignored.

Most networks ignore what they do not know, so a misspelt parameter looks like success. Here whatever no handler has
looked at is unknown: the emulator reads every name that the network documents, or lists it as known and without effect.
"""

from collections.abc import Iterator
from typing import Any


class Noted(dict[str, Any]):
    """Parameters that remember which of them were asked for. Whoever goes through all of them has seen them all."""

    __slots__ = ("seen",)

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.seen: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        """Return a value and note its name."""
        self.seen.add(name)
        return super().__getitem__(name)

    def get(self, name: str, otherwise: Any = None) -> Any:
        """Return a value, or the other one, and note its name."""
        self.seen.add(name)
        return super().get(name, otherwise)

    def __contains__(self, name: object) -> bool:
        """Tell whether there is a value of this name, and note the name."""
        self.seen.add(str(name))
        return super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        """Go through all names, which notes them."""
        self.seen.update(super().__iter__())
        return super().__iter__()

    def keys(self) -> Any:
        """Return all names, which notes them."""
        self.seen.update(super().__iter__())
        return super().keys()

    def items(self) -> Any:
        """Return all values with their names, which notes them."""
        self.seen.update(super().__iter__())
        return super().items()

    def values(self) -> Any:
        """Return all values, which notes their names."""
        self.seen.update(super().__iter__())
        return super().values()

    def raw(self) -> dict[str, Any]:
        """Return all of them and note nothing."""
        return dict(zip(super().__iter__(), super().values(), strict=True))

    def unseen(self) -> set[str]:
        """Return the names that nobody has asked for."""
        return set(super().__iter__()) - self.seen
