"""X's rules for edits."""

from typing import NamedTuple

from sandbox.accounts import Account
from sandbox.posts import PublicPost

EDIT_SECONDS = 3600
"""How long after its first version a post may be edited (X changelog, 2025-10-03)."""
EDITS = 5


class EditControls(NamedTuple):
    """The limits of edits: may this version be replaced, how many times more, until when (seconds since 1970)."""

    is_eligible: bool
    edits_remaining: int
    until: float


def edit_controls(post: PublicPost, account: Account, now: float) -> EditControls:
    """Return a post's controls: Premium, latest version only, within the hour, five times, no polls, no replies."""
    until = post.detail["first_at"] + EDIT_SECONDS
    remaining = max(EDITS + 1 - len(post.detail["history"]), 0)
    open_still = now <= until and remaining > 0 and post.superseded_by is None
    return EditControls(account.premium and open_still and post.kind not in ("poll", "reply"), remaining, until)
