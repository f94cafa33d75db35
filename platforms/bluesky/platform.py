"""Publishing to Bluesky: a record under a key of our own choice, so that a repeat writes the same record again."""

import re
import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from platforms.app_rules import AppRules
from platforms.base import Absent, ApiVersion, Draft, Finding, Identity, Platform, Published
from platforms.bluesky import errors, rules
from platforms.bluesky.access import RenewsSession
from platforms.bluesky.identity import INDEX, PLC, check_server
from platforms.bluesky.media import CARD, POST, VIDEO_SERVICE, Blobs, build_embed, card_picture
from platforms.bluesky.rules import (
    HOSTED,
    POST_NAME,
    BlueskyConnection,
    BlueskyContext,
    BlueskyCredentials,
    BlueskySettings,
    facets,
    mentions,
)
from platforms.bluesky.session import account_did, ask, call, open_session
from platforms.capabilities import ChoosesKey, OwnServers
from platforms.errors import ErrorKind, PlatformError, require_same, unreadable
from platforms.http.wire import json_object
from platforms.live import Assumption, LiveCheck, SamplePost, SampleResult, find_answers, find_values
from platforms.steps.thread import ThreadItem, ended_early

ALPHABET = "234567abcdefghijklmnopqrstuvwxyz"
"""Base 32 whose text order is its number order; source: atproto.com/specs/tid."""
LENGTH = 13
CLOCKS = 1024
"""How many identifiers one microsecond may have; source: atproto.com/specs/tid."""

_EPOCH = datetime.fromtimestamp(0, UTC)


def tid(moment: datetime, clock: int) -> str:
    """Return the timestamp identifier of a moment; `clock` (below 1024) distinguishes those of one microsecond."""
    number = (moment - _EPOCH) // timedelta(microseconds=1) * CLOCKS + clock
    digits = ""
    for _ in range(LENGTH):
        number, digit = divmod(number, len(ALPHABET))
        digits = ALPHABET[digit] + digits
    return digits


COLLECTION = "app.bsky.feed.post"

Reference = dict[str, str]
"""A record's name (uri) and hash (cid)."""


async def find_references(connection: BlueskyConnection, context: BlueskyContext) -> None:
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
        where = {"repo": repo, "collection": COLLECTION, "rkey": rkey}
        return _readable(await call(connection, "GET", "com.atproto.repo.getRecord", params=where))
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


async def _remove(connection: BlueskyConnection, _: BlueskyContext, published: Published) -> None:
    repo, rkey = await open_session(connection), published.platform_post_id.rpartition("/")[2]
    where = {"repo": repo, "collection": COLLECTION, "rkey": rkey}
    await call(connection, "POST", "com.atproto.repo.deleteRecord", json=where)


def _names_its_job(seen: SampleResult) -> bool | None:
    answers = find_answers(seen, "app.bsky.video.uploadVideo")
    return bool(find_values(answers[-1].body, "jobId")) if answers else None


LIVE = LiveCheck(
    samples=(
        SamplePost("text", more_text=" · ünïcödé 🧪 https://example.com/", repeats=True),
        SamplePost("image", files=("plain.jpg",)),
        SamplePost("gallery", files=("plain.jpg",) * 5),
        SamplePost(
            "video",
            files=("tall.mp4",),
            assumptions=(
                Assumption("video_job", "The video service's answer to an upload names a job.", _names_its_job),
            ),
        ),
    ),
    remove=_remove,
    by_hand=("How does an account look whose e-mail address is not confirmed: what does the video service answer?",),
)


MENTION_TRIES = 3
"""How often a server may fail to resolve a handle before the mention becomes plain text; our choice."""


class Bluesky(
    Platform[BlueskySettings, BlueskyCredentials],
    RenewsSession,
    OwnServers[BlueskyCredentials],
    ChoosesKey[BlueskySettings],
):
    """Bluesky and every other server of the AT Protocol that takes Bluesky's posts."""

    name = "bluesky"
    label = "Bluesky"
    base_url = HOSTED
    api = ApiVersion("XRPC")
    account_prefix = "bs"
    request_id_header = "atproto-request-id"
    # A server is the only writer of its accounts' records and reads its own writes. The wait is for a request that has
    # timed out here but is still under way; it would write the same record anyway.
    read_lag = timedelta(seconds=5)
    other_base_urls = (PLC, INDEX)
    domains = (VIDEO_SERVICE.removeprefix("https://"),)
    covers = {"card_thumbnail": rules.THUMBNAIL}  # noqa: RUF012
    read_error = staticmethod(errors.read_error)
    quota_in = staticmethod(errors.quota_in)
    refusals = errors.REFUSALS
    broken_rules = staticmethod(rules.check)
    cautions = staticmethod(rules.cautions)
    rules = rules.RULES
    settings = BlueskySettings
    credentials = BlueskyCredentials
    service_fields = frozenset(
        ("client_id", "client_secret", "refresh_token", "dpop_key", "issuer", "access_jwt", "refresh_jwt", "did", "pds")
    )
    app = AppRules(more_options=frozenset({"clientName", "website"}))

    def account_id(self, user_id: str) -> str:
        """Return our id of an account; the prefix that every did:plc has is left out."""
        return super().account_id(user_id.removeprefix("did:plc:").removeprefix("did:"))

    def address(self, credentials: BlueskyCredentials) -> str:
        """Return the account's own server."""
        return credentials.service

    def prepares(self, draft: Draft[BlueskySettings]) -> bool:
        """Return whether there are media to upload, or a handle or post to look up."""
        settings = draft.settings
        pictures = draft.media or settings.card_thumbnail
        return bool(pictures or mentions(draft.text) or settings.quote_post_id or settings.reply_to_post_id)

    async def whoami(self, connection: BlueskyConnection) -> Identity:
        """Log in, ask whose session it is, and check the response against the account's own document."""
        session = await call(connection, "GET", "com.atproto.server.getSession")
        if not session.get("did"):
            raise unreadable("Bluesky")
        await check_server(connection, str(session["did"]))
        return Identity(str(session["did"]), str(session.get("handle") or session["did"]))

    async def prepare(self, connection: BlueskyConnection, context: BlueskyContext) -> None:
        """Look up what the post refers to, and upload its media. Repeatable: continues from the handles."""
        await _look_up(connection, context, context.draft.text)
        await find_references(connection, context)
        blobs = Blobs(connection, context)
        await blobs.upload(POST, context.draft.media)
        await blobs.upload(CARD, card_picture(context.draft))

    async def assign_key(self, context: BlueskyContext) -> None:
        """Choose the record's key."""
        await _key(context, POST)

    async def publish(self, connection: BlueskyConnection, context: BlueskyContext) -> Published:
        """Write the record under its key. The same key with the same record changes nothing."""
        await open_session(connection)
        key, embed = await _key(context, POST), build_embed(Blobs(connection, context), context)
        record = _record(context, context.draft.text, key, embed, _reply(context))
        answer = await _put(connection, context, key["rkey"], record, public=True)
        if answer.get("cid"):
            # The next post of the thread needs it; it is saved together with that post's key.
            key["cid"] = str(answer["cid"])
        return _published(str(answer["uri"]))

    async def confirm_sent(self, connection: BlueskyConnection, context: BlueskyContext, sent_at: datetime) -> Finding:
        """Read the record by its key, which is saved before anything is sent."""
        key = context.handles.get("records", {}).get(POST)
        if key is None:
            return Absent()
        try:
            return _published((await read_record(connection, account_did(connection), key["rkey"]))["uri"])
        except PlatformError as error:
            if error.code == errors.RECORD_ABSENT:
                return Absent()
            raise

    async def complete(self, connection: BlueskyConnection, context: BlueskyContext, published: Published) -> Published:
        """Write the thread that follows, each post a reply to the one before. Repeatable, as publishing is."""
        items = context.draft.settings.thread_items
        if not items:
            return published
        did = await open_session(connection)
        parent = await _first(connection, context, did, published)
        answered = _reply(context)
        root = answered["root"] if answered else parent
        for number, item in enumerate(items):
            try:
                parent = await _follow(connection, context, number, item, {"root": root, "parent": parent})
            except PlatformError as error:
                return ended_early(published, number, error)
        return published


async def _first(connection: BlueskyConnection, context: BlueskyContext, did: str, published: Published) -> Reference:
    """Return the post that the thread follows."""
    if cid := context.handles.get("records", {}).get(POST, {}).get("cid"):
        return {"uri": published.platform_post_id, "cid": cid}
    return reference(await read_record(connection, did, published.platform_post_id.rpartition("/")[2]))


async def _follow(
    connection: BlueskyConnection, context: BlueskyContext, number: int, item: ThreadItem, reply: dict[str, Any]
) -> dict[str, str]:
    """Write one post of the thread unless its name is known already; return its name and hash."""
    name = str(number)
    key = await _key(context, name)
    if "uri" not in key:
        await _look_up(connection, context, item.content)
        blobs = Blobs(connection, context)
        await blobs.upload(name, item.media)
        record = _record(context, item.content, key, blobs.embed(name, item.media), reply)
        # If a response was lost, no check is needed: the same record under the same key changes nothing.
        key |= reference(await _put(connection, context, key["rkey"], record))
        await context.save(context.handles)
    return reference(key)


async def _look_up(connection: BlueskyConnection, context: BlueskyContext, text: str) -> None:
    """Resolve the handles in a text; a handle stays unresolved if the server does not know it or keeps failing."""
    dids: dict[str, str] = context.handles.setdefault("mentions", {})
    failures: dict[str, int] = context.handles.setdefault("mentionFailures", {})
    for handle in mentions(text):
        if handle in dids:
            continue
        try:
            answer = await ask(connection, "com.atproto.identity.resolveHandle", handle=handle)
            dids[handle] = str(answer.get("did") or "")
        except PlatformError as error:
            failures[handle] = failures.get(handle, 0) + 1
            if error.kind is ErrorKind.REJECTED or failures[handle] >= MENTION_TRIES:
                dids[handle] = ""
        await context.save(context.handles)
        if handle not in dids:
            raise PlatformError(
                ErrorKind.TRANSIENT, "Bluesky could not say whom the text mentions.", code="mention_unknown"
            )


async def _key(context: BlueskyContext, name: str) -> dict[str, str]:
    """Return the key and time of a record, which are chosen once and saved before the record is sent."""
    records: dict[str, dict[str, str]] = context.handles.setdefault("records", {})
    if name not in records:
        now = datetime.now(UTC)
        records[name] = {
            "rkey": tid(now, secrets.randbelow(CLOCKS)),
            "createdAt": now.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        }
        await context.save(context.handles)
    return records[name]


def _reply(context: BlueskyContext) -> dict[str, Reference] | None:
    """Return the references of a reply: the thread's first post, and the parent."""
    return context.handles["references"]["reply"] if context.draft.settings.reply_to_post_id else None


def _record(
    context: BlueskyContext,
    text: str,
    key: dict[str, str],
    embed: dict[str, Any] | None,
    reply: dict[str, Reference] | None,
) -> dict[str, Any]:
    """Return the record of a post; source: lexicon app.bsky.feed.post."""
    settings = context.draft.settings
    values = [{"val": label} for label in settings.labels]
    more = {
        "facets": facets(text, context.handles.get("mentions", {})),
        "embed": embed,
        "reply": reply,
        "langs": settings.langs,
        "labels": {"$type": "com.atproto.label.defs#selfLabels", "values": values} if values else None,
    }
    record = {"$type": COLLECTION, "text": text, "createdAt": key["createdAt"]}
    return record | {name: value for name, value in more.items() if value}


async def _put(
    connection: BlueskyConnection, context: BlueskyContext, rkey: str, record: dict[str, Any], *, public: bool = False
) -> dict[str, Any]:
    did = account_did(connection)
    body = {"repo": did, "collection": COLLECTION, "rkey": rkey, "record": record}
    try:
        answer = await call(connection, "POST", "com.atproto.repo.putRecord", public=public, json=body)
    except PlatformError as error:
        raise await Blobs(connection, context).refused(error) from error
    require_same("Bluesky", answer.get("uri", ""), record_uri(did, rkey), public=public)
    return answer


def _published(uri: str) -> Published:
    """Return the published post."""
    return Published(uri, rules.RULES.post_id.page(uri))
