"""The division of a large upload into parts."""

from dataclasses import dataclass
from typing import Self

PART = 16 * 2**20
"""Bytes of a part: a lost connection costs no more. S3 demands at least 5 MiB of each part but the last."""
MOST_PARTS = 1000
"""Parts of one upload; larger ones have larger parts. S3 takes 10,000."""

MOST_NAMED = 100
"""Missing parts that an error names."""


@dataclass(frozen=True, slots=True)
class PartPlan:
    """The parts of an upload, counted from 1. All have the same size but the last one."""

    size: int
    part_size: int

    def __post_init__(self) -> None:
        if self.size < 1 or self.part_size < 1 or self.count > MOST_PARTS:
            raise ValueError("not a plan of parts")

    @classmethod
    def for_size(cls, size: int) -> Self:
        """Return the plan of an upload of this many bytes."""
        return cls(size, max(PART, -(-size // MOST_PARTS)))

    @property
    def count(self) -> int:
        """Return how many parts there are."""
        return -(-self.size // self.part_size)

    def offset(self, number: int) -> int:
        """Return where a part begins in the object. Raises ValueError if the upload has no such part."""
        if not 1 <= number <= self.count:
            raise ValueError(f"parts are 1 to {self.count}")
        return (number - 1) * self.part_size

    def length(self, number: int) -> int:
        """Return how many bytes a part has. Raises ValueError if the upload has no such part."""
        return min(self.part_size, self.size - self.offset(number))
