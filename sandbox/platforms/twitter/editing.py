"""When X lets an author edit."""

from typing import NamedTuple

from sandbox.accounts import Account
from sandbox.posts import Post

EDIT_SECONDS = 3600
"""How long after its first version a post may be edited (X changelog, 2025-10-03)."""
EDITS = 5


class EditControls(NamedTuple):
    """Say whether this version may be replaced, how often still, and until when (seconds since 1970)."""

    is_eligible: bool
    edits_remaining: int
    until: float


def edit_controls(post: Post, account: Account, now: float) -> EditControls:
    """Judge a post: Premium only, the latest version only, within the hour, five times, no polls and replies."""
    until = post.detail["first_at"] + EDIT_SECONDS
    remaining = max(EDITS + 1 - len(post.detail["history"]), 0)
    open_still = now <= until and remaining > 0 and post.superseded_by is None
    return EditControls(account.premium and open_still and post.kind not in ("poll", "reply"), remaining, until)
