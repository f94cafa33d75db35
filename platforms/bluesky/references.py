"""Read records, and find the posts that a post quotes or answers: records refer to each other by name and hash."""

import re
from typing import Any

from platforms.base import Sending
from platforms.bluesky.line import Line, ask
from platforms.bluesky.settings import POST_NAME, BlueskySettings
from platforms.errors import Kind, NetworkError

COLLECTION = "app.bsky.feed.post"

Reference = dict[str, str]
"""A record's name (uri) and hash (cid)."""


async def find_references(line: Line, sending: Sending[BlueskySettings]) -> None:
    """Keep in the handles what the post quotes and answers. Raises NetworkError, `rejected` where it is not there."""
    settings = sending.draft.settings
    known: dict[str, Any] = sending.handles.setdefault("references", {})
    if settings.quote_post_id and "quote" not in known:
        known["quote"] = reference(await _find(line, settings.quote_post_id, "quotePostId"))
        await sending.save(sending.handles)
    if settings.reply_to_post_id and "reply" not in known:
        parent = await _find(line, settings.reply_to_post_id, "replyToPostId")
        known["reply"] = {"root": _root_of(parent), "parent": reference(parent)}
        await sending.save(sending.handles)


async def read_record(line: Line, repo: str, rkey: str) -> dict[str, Any]:
    """Return a post's record with its name and its hash. Raises NetworkError, also where it cannot be read."""
    record = await ask(line, "com.atproto.repo.getRecord", repo=repo, collection=COLLECTION, rkey=rkey)
    if not str(record.get("uri", "")).startswith("at://"):
        raise NetworkError(Kind.TRANSIENT, "Bluesky answered in a way that cannot be read.", code="unreadable_answer")
    return record


def reference(record: dict[str, Any]) -> Reference:
    """Return what other records call this one. Raises NetworkError where an answer lacks it."""
    if not record.get("uri") or not record.get("cid"):
        raise NetworkError(Kind.TRANSIENT, "Bluesky answered in a way that cannot be read.", code="unreadable_answer")
    return {"uri": str(record["uri"]), "cid": str(record["cid"])}


async def _find(line: Line, name: str, setting: str) -> dict[str, Any]:
    [(repo, rkey)] = re.findall(POST_NAME, name)
    try:
        # Of accounts that live elsewhere a server asks Bluesky itself.
        return await read_record(line, repo, rkey)
    except NetworkError as error:
        if error.kind is not Kind.REJECTED:
            raise
        sentence = f"Bluesky does not have the post that {setting} names. Check that it is still there."
        raise NetworkError(Kind.REJECTED, sentence, code=error.code, status=error.status) from error


def _root_of(parent: dict[str, Any]) -> Reference:
    """Return where the thread of a post begins: with it, unless it is an answer itself."""
    match parent.get("value"):
        case {"reply": {"root": {"uri": str(uri), "cid": str(cid)}}}:
            return {"uri": uri, "cid": cid}
    return reference(parent)
