"""Ids whose text order is their creation order."""

import hashlib
import re
import secrets
from datetime import UTC, datetime, timedelta

import uuid_utils

from domain.temporal_limits import LONGEST_ID

_POST_ID = re.compile(r"post_[0-9a-f]{32}")
_SERIES_ID = re.compile(r"ser_[0-9a-f]{32}")
_CAMPAIGN_ID = re.compile(r"cmp_[0-9a-f]{32}")
_TIME_DIGITS, _OTHER_DIGITS = 12, 20
"""Hexadecimal digits of a UUIDv7: the milliseconds since 1970, then what keeps ids of one millisecond apart."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LONG = "+"
_VERBATIM = LONGEST_ID - len("ws_0123456789ab~1234567890+/")
"""Bytes up to which a key stands in its workflow's id as it is, whatever the generation."""


def new_id(prefix: str) -> str:
    """Return a new sortable id such as post_019a… (UUIDv7, RFC 9562)."""
    return f"{prefix}_{uuid_utils.uuid7().hex}"


def made_at(id_: str) -> datetime:
    """Return when an id was made, to the millisecond."""
    return datetime.fromtimestamp(int(id_.rpartition("_")[2][:_TIME_DIGITS], 16) / 1000, UTC)


def first_id(prefix: str, moment: datetime) -> str:
    """Return the lowest id that can be made at a moment: above every id that was made before it."""
    return f"{prefix}_{-(-_since_epoch(moment) // 1000):0{_TIME_DIGITS}x}{'0' * _OTHER_DIGITS}"


def last_id(prefix: str, moment: datetime) -> str:
    """Return the highest id that can be made at a moment: below every id that is made after it."""
    return f"{prefix}_{_since_epoch(moment) // 1000:0{_TIME_DIGITS}x}{'f' * _OTHER_DIGITS}"


def _since_epoch(moment: datetime) -> int:
    """Return the microseconds since 1970; 0 before."""
    return max(0, (moment - _EPOCH) // timedelta(microseconds=1))


def new_workspace_id() -> str:
    """Return a new workspace id, short because it prefixes every workflow id."""
    return f"ws_{secrets.token_hex(6)}"


def is_post_id(text: str) -> bool:
    """Return whether a post could have this id at all."""
    return _POST_ID.fullmatch(text) is not None


def is_series_id(text: str) -> bool:
    """Return whether a series could have this id at all."""
    return _SERIES_ID.fullmatch(text) is not None


def is_campaign_id(text: str) -> bool:
    """Return whether a campaign could have this id at all."""
    return _CAMPAIGN_ID.fullmatch(text) is not None


def workflow_id(workspace_id: str, post_id: str, key: str | None, generation: int = 1) -> str:
    """Return the id under which a post's workflow runs: the key behind its workspace, at most LONGEST_ID bytes.

    A key that is used again after it expired gets the next generation, so that the second post does not meet the first
    one's workflow, which may still be asleep. Of a long key a digest is added to its beginning. The generation, and the
    mark of a long key, stand before the slash, where no key can imitate them.
    """
    if key is None:
        return post_id
    return f"{_before_slash(workspace_id, generation, long=len(key.encode()) > _VERBATIM)}/{_shortened(key)}"


def next_workflow_id(taken: str) -> tuple[str, int]:
    """Return the id of the next generation after one that another post's workflow has taken, and that generation."""
    before, slash, rest = taken.partition("/")
    if not slash:
        # Made of the post's own id: no other post can have it.
        raise ValueError(f"{taken} is not made of a key")
    workspace_id, _, generation = before.removesuffix(_LONG).partition("~")
    following = int(generation or 1) + 1
    return f"{_before_slash(workspace_id, following, long=before.endswith(_LONG))}/{rest}", following


def _before_slash(workspace_id: str, generation: int, *, long: bool) -> str:
    return workspace_id + (f"~{generation}" if generation > 1 else "") + (_LONG if long else "")


def _shortened(key: str) -> str:
    whole = key.encode()
    if len(whole) <= _VERBATIM:
        return key
    digest = hashlib.sha256(whole).hexdigest()
    return f"{whole[: _VERBATIM - len(digest) - 1].decode(errors='ignore')}~{digest}"
