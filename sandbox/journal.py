"""An append-only file of the data that must survive a restart, the collections in it, and their ids."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T", bound=msgspec.Struct)

FILE_NAME = "sandbox-journal.jsonl"


class Journal:
    """A file of `[collection, key, value]` lines; of several lines with the same collection and key the last counts.

    Every line is written to the operating system before `append` returns, so killing the process loses nothing that was
    answered. Without a directory nothing is kept.
    """

    def __init__(self, data_dir: Path | None) -> None:
        self._loaded: dict[str, dict[str, msgspec.Raw]] = {}
        self._file: int | None = None
        if data_dir is None:
            return
        data_dir.mkdir(parents=True, exist_ok=True)
        path = data_dir / FILE_NAME
        whole = self._load(path) if path.exists() else 0
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        # A hard kill may leave half a line; the next line would be appended to it and become unreadable too.
        os.ftruncate(self._file, whole)

    def append(self, collection: str, key: str, item: msgspec.Struct) -> None:
        """Write one line."""
        if self._file is not None:
            os.write(self._file, msgspec.json.encode((collection, key, item)) + b"\n")

    def loaded(self, collection: str) -> dict[str, msgspec.Raw]:
        """Return the values of a collection from the file, in the order of first appearance."""
        return self._loaded.pop(collection, {})

    def close(self) -> None:
        """Close the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def _load(self, path: Path) -> int:
        """Read the file and return the length of its whole lines."""
        content = path.read_bytes()
        whole = content.rfind(b"\n") + 1
        decode = msgspec.json.Decoder(tuple[str, str, msgspec.Raw]).decode
        for line in content[:whole].splitlines():
            try:
                collection, key, item = decode(line)
            except msgspec.DecodeError:
                continue
            self._loaded.setdefault(collection, {})[key] = item
        return whole


class Collection(Generic[T]):
    """The values of one kind by key, in memory and in the journal."""

    def __init__(self, journal: Journal, name: str, kind: type[T]) -> None:
        self._journal = journal
        self._name = name
        decode = msgspec.json.Decoder(kind).decode
        self._items = {key: decode(raw) for key, raw in journal.loaded(name).items()}

    def put(self, key: str, item: T) -> T:
        """Store a value, new or changed, and return it."""
        self._items[key] = item
        self._journal.append(self._name, key, item)
        return item

    def get(self, key: str) -> T | None:
        """Return a value, or None."""
        return self._items.get(key)

    def __iter__(self) -> Iterator[T]:
        return iter(self._items.values())

    def __reversed__(self) -> Iterator[T]:
        return reversed(self._items.values())

    def __len__(self) -> int:
        return len(self._items)


class Snowflakes:
    """Ids by time: milliseconds since an epoch, then 22 bits that keep them unique and in order."""

    def __init__(self, clock: Callable[[], float], epoch_milliseconds: int) -> None:
        self._clock = clock
        self._epoch = epoch_milliseconds
        self._last = 0

    def next(self) -> str:
        """Return the next id."""
        fresh = (int(self._clock() * 1000) - self._epoch) << 22 | 1 << 12
        self._last = max(fresh, self._last + 1)
        return str(self._last)


class Scrambled:
    """Ids by time that look random within a range, as Meta's do.

    The count (microseconds since an epoch) is multiplied by a number that has no common divisor with the range's size.
    No two counts get the same id until the count exceeds the range.
    """

    def __init__(self, clock: Callable[[], float], epoch_milliseconds: int, first: int, size: int) -> None:
        self._clock = clock
        self._epoch = epoch_milliseconds
        self._first = first
        self._size = size
        self._last = 0

    def next(self) -> str:
        """Return the next id."""
        fresh = int(self._clock() * 1_000_000) - self._epoch * 1000
        self._last = max(fresh, self._last + 1)
        return str(self._first + self._last * 123_456_789_011 % self._size)


SHORTCODE_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


_SHORTCODE_EPOCH_MILLISECONDS = 1_314_220_021_721


def shortcode(seconds: float, post_id: str) -> str:
    """Return the code in the address of a post on Instagram or Threads, made of its time and its id."""
    return in_base64((int(seconds * 1000) - _SHORTCODE_EPOCH_MILLISECONDS) << 23 | int(post_id) & 0x7FFFFF)


def in_base64(number: int) -> str:
    """Write a number in URL-safe base 64."""
    digits = ""
    while number:
        number, digit = divmod(number, 64)
        digits = SHORTCODE_ALPHABET[digit] + digits
    return digits
