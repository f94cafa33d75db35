"""Imports: the outcomes of rows, and the effects of wrong and known ones."""

from enum import StrEnum


class RowOutcome(StrEnum):
    """The outcome of one row of an import."""

    CREATED = "created"
    UNCHANGED = "unchanged"
    """The post of its `externalId` was made by the same row already."""
    UPDATED = "updated"
    """The post of its `externalId` has the row's content and time now."""
    IGNORED = "ignored"
    """The post of its `externalId` was made by another row, and stays as it is."""
    FAILED = "failed"


class OnError(StrEnum):
    """The effect of a row with a problem on the import."""

    REFUSE = "refuse"
    """Nothing is created."""
    SKIP = "skip"
    """The other rows are carried out."""


class OnExisting(StrEnum):
    """The effect of a row whose `externalId` belongs to a post that another row has made."""

    REFUSE = "refuse"
    """The row has a problem."""
    KEEP = "keep"
    UPDATE = "update"
