"""References between records, by name and hash: reading records, and finding the posts to quote or to reply to."""

import re
from typing import Any

from platforms.base import PublishContext
from platforms.bluesky import errors
from platforms.bluesky.connection import BlueskyConnection, ask, call
from platforms.bluesky.did import INDEX
from platforms.bluesky.settings import POST_NAME, BlueskySettings
from platforms.errors import ErrorKind, PlatformError, require_same, unreadable
from platforms.http.wire import json_object

COLLECTION = "app.bsky.feed.post"

Reference = dict[str, str]
"""A record's name (uri) and hash (cid)."""


async def find_references(connection: BlueskyConnection, context: PublishContext[BlueskySettings]) -> None:
    """Store in the handles what the post quotes and replies to. Raises PlatformError, `rejected` if it is missing."""
    settings = context.draft.settings
    known: dict[str, Any] = context.handles.setdefault("references", {})
    if settings.quote_post_id and "quote" not in known:
        known["quote"] = reference(await _find(connection, settings.quote_post_id, "quotePostId"))
        await context.save(context.handles)
    if settings.reply_to_post_id and "reply" not in known:
        parent = await _find(connection, settings.reply_to_post_id, "replyToPostId")
        known["reply"] = {"root": _thread_root(parent), "parent": reference(parent)}
        await context.save(context.handles)


async def read_record(connection: BlueskyConnection, repo: str, rkey: str) -> dict[str, Any]:
    """Return a record of the account's own post with its name and hash. Raises PlatformError, also if unreadable.

    It is read without a session, so that a post can be looked up even if its account must be reconnected.
    """
    params = {"repo": repo, "collection": COLLECTION, "rkey": rkey}
    record = _readable(await ask(connection, "com.atproto.repo.getRecord", **params))
    require_same("Bluesky", record["uri"], record_uri(repo, rkey))
    return record


def record_uri(repo: str, rkey: str) -> str:
    """Return the name of a post in the repository with this DID."""
    return f"at://{repo}/{COLLECTION}/{rkey}"


def _readable(record: dict[str, Any]) -> dict[str, Any]:
    if not str(record.get("uri", "")).startswith("at://"):
        raise unreadable("Bluesky")
    return record


def reference(record: dict[str, Any]) -> Reference:
    """Return the reference by which other records name this one. Raises PlatformError if a response lacks it."""
    if not record.get("uri") or not record.get("cid"):
        raise unreadable("Bluesky")
    return {"uri": str(record["uri"]), "cid": str(record["cid"])}


async def _find(connection: BlueskyConnection, name: str, setting: str) -> dict[str, Any]:
    """Return the record of any author's post, from the account's server or from Bluesky's public index."""
    [(repo, rkey)] = re.findall(POST_NAME, name)
    try:
        # In the account's session: only with it does Bluesky's own address know the server of the account.
        params = {"repo": repo, "collection": COLLECTION, "rkey": rkey}
        return _readable(await call(connection, "GET", "com.atproto.repo.getRecord", params=params))
    except PlatformError as error:
        # A server that holds few accounts need not ask Bluesky about others, and may fail to.
        if error.kind is not ErrorKind.REJECTED and error.code not in errors.UPSTREAM:
            raise
    try:
        return await _indexed(connection, repo, rkey)
    except PlatformError as error:
        if error.kind is not ErrorKind.REJECTED:
            raise
        sentence = f"Bluesky does not have the post that {setting} names. Check that it is still there."
        raise PlatformError(ErrorKind.REJECTED, sentence, code=error.code, status=error.status) from error


async def _indexed(connection: BlueskyConnection, repo: str, rkey: str) -> dict[str, Any]:
    """Return a post from the public index; source: lexicon app.bsky.feed.getPosts. Raises PlatformError."""
    index = f"{connection.wire.host(INDEX)}/xrpc"
    if not repo.startswith("did:"):
        answer = await connection.wire.send(
            "GET", f"{index}/com.atproto.identity.resolveHandle", params={"handle": repo.removeprefix("@")}
        )
        repo = str(json_object(answer).get("did") or "")
    uri = record_uri(repo, rkey)
    answer = await connection.wire.send("GET", f"{index}/app.bsky.feed.getPosts", params={"uris": uri})
    posts = json_object(answer).get("posts")
    if not isinstance(posts, list):
        raise unreadable("Bluesky")
    for post in posts:
        if isinstance(post, dict) and post.get("uri") == uri:
            return {"uri": uri, "cid": post.get("cid"), "value": post.get("record")}
    raise PlatformError(ErrorKind.REJECTED, "Bluesky does not have this post.", code=errors.RECORD_ABSENT)


def _thread_root(parent: dict[str, Any]) -> Reference:
    """Return the first post of the thread: the post itself, unless it is a reply."""
    match parent.get("value"):
        case {"reply": {"root": {"uri": str(uri), "cid": str(cid)}}}:
            return {"uri": uri, "cid": cid}
    return reference(parent)
