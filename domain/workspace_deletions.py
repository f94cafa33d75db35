"""The deletion of a workspace and of everything that belongs to it."""

from enum import StrEnum


class DeletionStep(StrEnum):
    """A step of a deletion, in the order in which they are taken. Each may be repeated."""

    POSTS = "posts"
    UPLOADS = "uploads"
    ACCOUNTS = "accounts"
    ROWS = "rows"
    REVOCATIONS = "revocations"
    REQUESTS = "requests"
    """Requests that were accepted before it began are waited for."""
    WORKFLOWS = "workflows"
    DONE = "done"
