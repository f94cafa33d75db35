"""Publishing to Bluesky: a record under a key of our own choice, so that a repeat writes the same record again."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

from platforms.app_rules import AppRules
from platforms.base import Absent, ApiVersion, Draft, Finding, Identity, Platform, PublishContext, Published
from platforms.bluesky import errors, rules
from platforms.bluesky.access import RenewsSession
from platforms.bluesky.connection import BlueskyConnection, account_did, ask, call, open_session
from platforms.bluesky.did import INDEX, PLC, check_server
from platforms.bluesky.embeds import CARD, POST, build_embed, card_picture
from platforms.bluesky.media import Blobs
from platforms.bluesky.references import COLLECTION, Reference, find_references, read_record, record_uri, reference
from platforms.bluesky.settings import HOSTED, BlueskyCredentials, BlueskySettings
from platforms.bluesky.text import facets, mentions
from platforms.bluesky.tid import CLOCKS, tid
from platforms.bluesky.video import VIDEO_SERVICE
from platforms.capabilities import ChoosesKey, OwnServers
from platforms.errors import ErrorKind, PlatformError, require_same
from platforms.steps.thread import ThreadItem, ended_early

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
            raise PlatformError(
                ErrorKind.TRANSIENT, "The Bluesky server did not say whose session it is.", code="no_did"
            )
        await check_server(connection, str(session["did"]))
        return Identity(str(session["did"]), str(session.get("handle") or session["did"]))

    async def prepare(self, connection: BlueskyConnection, context: PublishContext[BlueskySettings]) -> None:
        """Look up what the post refers to, and upload its media. Repeatable: continues from the handles."""
        await _look_up(connection, context, context.draft.text)
        await find_references(connection, context)
        blobs = Blobs(connection, context)
        await blobs.upload(POST, context.draft.media)
        await blobs.upload(CARD, card_picture(context.draft))

    async def assign_key(self, context: PublishContext[BlueskySettings]) -> None:
        """Choose the record's key."""
        await _key(context, POST)

    async def publish(self, connection: BlueskyConnection, context: PublishContext[BlueskySettings]) -> Published:
        """Write the record under its key. The same key with the same record changes nothing."""
        did = await open_session(connection)
        key, embed = await _key(context, POST), build_embed(Blobs(connection, context), context)
        record = _record(context, context.draft.text, key, embed, _reply(context))
        answer = await _put(connection, context, did, key["rkey"], record, public=True)
        if answer.get("cid"):
            # The next post of the thread needs it; it is saved together with that post's key.
            key["cid"] = str(answer["cid"])
        return _published(str(answer["uri"]))

    async def confirm_sent(
        self, connection: BlueskyConnection, context: PublishContext[BlueskySettings], sent_at: datetime
    ) -> Finding:
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

    async def complete(
        self, connection: BlueskyConnection, context: PublishContext[BlueskySettings], published: Published
    ) -> Published:
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


async def _first(
    connection: BlueskyConnection, context: PublishContext[BlueskySettings], did: str, published: Published
) -> Reference:
    """Return the post that the thread follows."""
    if cid := context.handles.get("records", {}).get(POST, {}).get("cid"):
        return {"uri": published.platform_post_id, "cid": cid}
    return reference(await read_record(connection, did, published.platform_post_id.rpartition("/")[2]))


async def _follow(
    connection: BlueskyConnection,
    context: PublishContext[BlueskySettings],
    number: int,
    item: ThreadItem,
    reply: dict[str, Any],
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
        key |= reference(await _put(connection, context, account_did(connection), key["rkey"], record))
        await context.save(context.handles)
    return reference(key)


async def _look_up(connection: BlueskyConnection, context: PublishContext[BlueskySettings], text: str) -> None:
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


async def _key(context: PublishContext[BlueskySettings], name: str) -> dict[str, str]:
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


def _reply(context: PublishContext[BlueskySettings]) -> dict[str, Reference] | None:
    """Return the references of a reply: the thread's first post, and the parent."""
    return context.handles["references"]["reply"] if context.draft.settings.reply_to_post_id else None


def _record(
    context: PublishContext[BlueskySettings],
    text: str,
    key: dict[str, str],
    embed: dict[str, Any] | None,
    reply: dict[str, Reference] | None,
) -> dict[str, Any]:
    """Return the record of a post; source: lexicon app.bsky.feed.post."""
    settings = context.draft.settings
    record: dict[str, Any] = {"$type": COLLECTION, "text": text, "createdAt": key["createdAt"]}
    if tags := facets(text, context.handles.get("mentions", {})):
        record["facets"] = tags
    if embed:
        record["embed"] = embed
    if reply:
        record["reply"] = reply
    if settings.langs:
        record["langs"] = settings.langs
    if settings.labels:
        values = [{"val": label} for label in settings.labels]
        record["labels"] = {"$type": "com.atproto.label.defs#selfLabels", "values": values}
    return record


async def _put(
    connection: BlueskyConnection,
    context: PublishContext[BlueskySettings],
    did: str,
    rkey: str,
    record: dict[str, Any],
    *,
    public: bool = False,
) -> dict[str, Any]:
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
