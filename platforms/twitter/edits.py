"""Edits of a post: X gives each version its own id, and decides how long and how often edits are allowed."""

from datetime import UTC, datetime
from typing import Any

from platforms.base import Absent, Finding, Handles, Published, Unknown
from platforms.errors import ErrorKind, PlatformError
from platforms.http.untrusted import moment
from platforms.http.wire import segment
from platforms.twitter.connection import TwitterConnection, call, require_object
from platforms.twitter.lookup import FIELDS, PAGE, published, read_posts, require_fields, same_text
from platforms.twitter.media import are_valid, media_ids, media_keys


async def edit(connection: TwitterConnection, known: Published, text: str, handles: Handles) -> Published:
    """Replace the text by one request, after asking X whether it still allows edits.

    The new version is a whole new post, so its media are named again. `handles` have their ids.
    """
    post = await _read(connection, known.platform_post_id)
    attachments, references = (
        post.get("attachments") or {},
        post.get("referenced_tweets") or post.get("referenced_posts") or [],
    )
    if attachments.get("poll_ids") or any(reference.get("type") == "quoted" for reference in references):
        message = "A tweet with a poll or a quote cannot be edited: its new version would lose them."
        raise PlatformError(ErrorKind.REJECTED, message, code="text_only")
    until = _check_controls(post.get("edit_controls") or {}) or known.editable_until
    media = _same_media(set(attachments.get("media_keys") or []), handles)
    body = {"text": text, **media, "edit_options": {"previous_post_id": _newest(post)}}
    answer = await call(connection, "POST", "/2/tweets", public=True, json=body)
    return published(require_object(answer, public=True)["id"], until)


async def confirm(connection: TwitterConnection, known: Published, text: str) -> Finding:
    """Find out whether a version newer than the known one has the new text.

    The timeline shows a post in its newest version. It is not documented that an old version, read by its id, names the
    newer ones.
    """
    known_id = known.platform_post_id
    body = await call(
        connection,
        "GET",
        f"/2/users/{segment(connection.account.user_id)}/tweets",
        params={"since_id": known_id, "max_results": PAGE, "exclude": "retweets", "tweet.fields": FIELDS},
    )
    posts = read_posts(body)
    newer = next((post for post in posts if known_id in _versions(post)), None)
    if newer is None:
        post = await _read(connection, known_id)
        newest = _newest(post)
        if newest == known_id:
            return Absent() if not body["meta"].get("next_token") else Unknown()
        newer = await _read(connection, newest) if post["id"] != newest else post
    return published(newer["id"], _moment(newer.get("edit_controls") or {})) if same_text(newer, text) else Unknown()


async def _read(connection: TwitterConnection, post_id: str) -> dict[str, Any]:
    post = require_object(
        await call(connection, "GET", f"/2/tweets/{segment(post_id)}", params={"tweet.fields": FIELDS})
    )
    require_fields(post)
    return post


def _same_media(shown: set[str], handles: Handles) -> dict[str, Any]:
    """Return the part of the body that names a post's media. Raises PlatformError if their ids are not known."""
    if shown != media_keys(handles) or not are_valid(handles):
        message = "The ids of the tweet's media are not known any more, so its new version would lose them."
        raise PlatformError(ErrorKind.REJECTED, message, code="edit_not_supported")
    return {"media": {"media_ids": media_ids(handles)}} if shown else {}


def _versions(post: dict[str, Any]) -> list[str]:
    # X's documentation shows the first name, its OpenAPI document the second.
    versions = post.get("edit_history_tweet_ids") or post.get("edit_history_post_ids") or []
    # The response to a new post has had an empty string in this list.
    return [version for version in versions if str(version).isdecimal()] or [post["id"]]


def _newest(post: dict[str, Any]) -> str:
    return max(_versions(post), key=int)


def _check_controls(controls: dict[str, Any]) -> datetime | None:
    """Return until when X allows edits, if it says so. Raises PlatformError if it allows none any more."""
    until = _moment(controls)
    if until is not None and until <= datetime.now(UTC):
        raise PlatformError(ErrorKind.REJECTED, "The time in which X allows edits is over.", code="edit_window_closed")
    if controls.get("edits_remaining") == 0:
        raise PlatformError(ErrorKind.REJECTED, "X allows no more edits of this post.", code="edit_limit_reached")
    if controls.get("is_edit_eligible") is False:
        raise PlatformError(ErrorKind.REJECTED, "X does not allow edits of this post.", code="edit_not_supported")
    return until


def _moment(controls: dict[str, Any]) -> datetime | None:
    try:
        return moment(controls["editable_until"])
    except (KeyError, ValueError):
        return None
