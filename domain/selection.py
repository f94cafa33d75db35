"""The vocabulary of choosing among accounts that can be connected."""

from enum import StrEnum


class SelectionBy(StrEnum):
    """The party that asks a person which of several accounts to connect, if this service receives the redirect."""

    PAGE = "page"
    """A page of this service."""
    CALLER = "caller"
    """The API's caller."""
