"""The rules of editing a published post, as this API's contract sets them."""

from datetime import datetime, timedelta

EDIT_WINDOW = timedelta(hours=1)
"""From publishing on, where the network itself has not said until when."""
EDIT_LIMIT = 5
"""Edits of one published post."""


def window_closes(published_at: datetime, editable_until: datetime | None) -> datetime:
    """Return when a published post can no longer be edited."""
    return editable_until or published_at + EDIT_WINDOW
