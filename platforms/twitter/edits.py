"""Edit a post: X gives each version an id of its own and decides itself how long and how often."""

from datetime import UTC, datetime
from typing import Any

from platforms.base import Absent, Finding, Published, Unknown
from platforms.errors import Kind, NetworkError
from platforms.twitter.line import Line, call, data_of
from platforms.twitter.lookup import FIELDS, published, same_text

_PASSING = frozenset({Kind.TRANSIENT, Kind.NOT_READY, Kind.RATE_LIMITED})


async def edit(line: Line, known: Published, text: str) -> Published:
    """Replace the text by one request, after asking X whether it still allows it; without an answer it is tried."""
    newest, until = known.platform_post_id, known.editable_until
    try:
        post = await _read(line, newest)
    except NetworkError as error:
        if error.kind not in _PASSING:
            raise
    else:
        newest = _newest(post)
        until = _check_controls(post.get("edit_controls") or {}) or until
    body = {"text": text, "edit_options": {"previous_post_id": newest}}
    answer = await call(line, "POST", "/2/tweets", public=True, json=body)
    return published(data_of(answer, public=True)["id"], until)


async def confirm(line: Line, known: Published, text: str) -> Finding:
    """Look whether a version newer than the known one says the new text."""
    post = await _read(line, known.platform_post_id)
    newest = _newest(post)
    if newest == known.platform_post_id:
        return Absent()
    if post["id"] != newest:
        post = await _read(line, newest)
    return published(newest, _moment(post.get("edit_controls") or {})) if same_text(post, text) else Unknown()


async def _read(line: Line, post_id: str) -> dict[str, Any]:
    return data_of(await call(line, "GET", f"/2/tweets/{post_id}", params={"tweet.fields": FIELDS}))


def _newest(post: dict[str, Any]) -> str:
    # X's documentation shows the first name, its OpenAPI document the second.
    versions = post.get("edit_history_tweet_ids") or post.get("edit_history_post_ids") or [post["id"]]
    return str(max(versions, key=int))


def _check_controls(controls: dict[str, Any]) -> datetime | None:
    """Return until when X allows edits, where it says so. Raises NetworkError where it allows none any more."""
    until = _moment(controls)
    if until is not None and until <= datetime.now(UTC):
        raise NetworkError(Kind.REJECTED, "The time in which X allows edits is over.", code="edit_window_closed")
    if controls.get("edits_remaining") == 0:
        raise NetworkError(Kind.REJECTED, "X allows no more edits of this post.", code="edit_limit_reached")
    if controls.get("is_edit_eligible") is False:
        raise NetworkError(Kind.REJECTED, "X does not allow edits of this post.", code="edit_not_supported")
    return until


def _moment(controls: dict[str, Any]) -> datetime | None:
    try:
        return datetime.fromisoformat(str(controls["editable_until"]))
    except (KeyError, ValueError):
        return None
