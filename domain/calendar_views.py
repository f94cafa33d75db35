"""Calendar views: what a calendar shows to people who have no API key."""

from enum import StrEnum


class ViewDetail(StrEnum):
    """The part of each post that a view shows."""

    CONTENT = "content"
    """All that the calendar shows."""
    TITLE = "title"
    """The first line of its text, its platforms and its status; no accounts, no warnings, no reasons of pauses."""
    BUSY = "busy"
    """Its time and its status."""


MOST_VIEWS = 100
"""Calendar views of a workspace."""
