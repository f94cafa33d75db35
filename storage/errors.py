"""Errors of the store of media. Their messages hold no credentials, no keys and no paths."""

from collections.abc import Sequence


class StorageError(Exception):
    """A call of the store that failed."""


class StorageFull(StorageError):
    """A store without room for the bytes."""


class StorageUnavailable(StorageError):
    """A store that is not reached in time, refuses these credentials, or fails to read or write."""


class ObjectMissing(StorageError):
    """An object or multipart upload that is not in the store, or is no longer the one that was looked at."""


class TooLong(StorageError):
    """More bytes than were allowed. Nothing of them is stored."""


class TooShort(StorageError):
    """Fewer bytes than a part must have. The part does not count."""


class PartBusy(StorageError):
    """A part that is being written by another request, or an upload that is being completed."""


class PartsMissing(StorageError):
    """Parts that a multipart upload still needs: the numbers of the first of them."""

    def __init__(self, numbers: Sequence[int]) -> None:
        super().__init__(f"parts are missing: {', '.join(map(str, numbers))}")
        self.numbers = list(numbers)
