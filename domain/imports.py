"""Imports: the outcomes of rows, and the effects of wrong and known ones."""

from enum import StrEnum


class RowOutcome(StrEnum):
    """The outcome of one row of an import."""

    CREATED = "created"
    UNCHANGED = "unchanged"
    """No cell differs from the row before, or the post of its `externalId` already says what the row says."""
    UPDATED = "updated"
    """The post of its `externalId` has the cells now that changed in the row."""
    IGNORED = "ignored"
    """The row differs from the row before, and its post stays as it is."""
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


class OnConflict(StrEnum):
    """The effect of a changed cell if the post was changed in the same field, or was deleted, since the row before."""

    REFUSE = "refuse"
    """The row has a problem."""
    KEEP = "keep"
    """The post keeps its value, or stays deleted."""
    OVERWRITE = "overwrite"
    """The post gets the row's value, or is created again."""


class UndoOutcome(StrEnum):
    """The effect of undoing an import on one of its posts."""

    DELETED = "deleted"
    RESTORED = "restored"
    CONFLICT = "conflict"
    """It stays as it is, in whole or in part."""
