"""The memory of a process of what servers have said, such as their limits, for longer than one step."""

from typing import Any, TypeVar

T = TypeVar("T")


class ServerMemory:
    """Objects that outlive a step, one of each type. A process has one memory, and its wires refer to it."""

    def __init__(self) -> None:
        self._objects: dict[type[Any], Any] = {}

    def get(self, kind: type[T]) -> T:
        """Return the object of a type; it is made when it is first needed."""
        if kind not in self._objects:
            self._objects[kind] = kind()
        known: T = self._objects[kind]
        return known
