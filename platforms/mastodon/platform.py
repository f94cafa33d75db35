"""Publishing to Mastodon: upload media, make the status by one request, look it up if the response was lost."""

import uuid
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import httpx

from platforms.app_rules import AppRules
from platforms.base import AccountFacts, ApiVersion, Draft, Finding, Identity, Platform, Published
from platforms.capabilities import OwnServers
from platforms.errors import ErrorKind, PlatformError
from platforms.live import LiveCheck, SamplePost, removal
from platforms.mastodon import errors, lookup, rules
from platforms.mastodon.access import (
    ENGLISH,
    MastodonConnection,
    MastodonContext,
    entity,
    read,
    read_limits,
    require_id,
    send,
)
from platforms.mastodon.limits import DEFAULTS
from platforms.mastodon.media import Uploads, depends_on_server, media_ids, status_body
from platforms.mastodon.rules import FLAGSHIP, MastodonCredentials, MastodonSettings
from platforms.rules import FileRule

LIVE = LiveCheck(
    samples=(
        SamplePost("text", more_text=" · ünïcödé 🧪 & <b>no tag</b> https://example.com/", repeats=True),
        SamplePost("private text", more_text=" · for followers", settings={"visibility": "private"}),
        SamplePost("image", files=("plain.jpg",)),
        SamplePost("video", files=("wide.mp4",)),
    ),
    remove=removal(send, "/api/v1/statuses/{id}"),
)


REFUSALS = "refusals"
"""The count, in the handles, of how often the server surely refused the post."""
_KEYS = uuid.UUID("5f6cf4f5-9b5f-5a0a-9a4b-0d7a6b6f0d11")
"""The name space of our idempotency keys."""


class Mastodon(Platform[MastodonSettings, MastodonCredentials], OwnServers[MastodonCredentials]):
    """Every server with Mastodon's API."""

    name = "mastodon"
    app = AppRules(more_options=frozenset({"clientName", "website"}), registers_itself=True)
    service_fields = frozenset({"client_id", "client_secret"})
    label = "Mastodon"
    base_url = FLAGSHIP
    api = ApiVersion("v1")
    account_prefix = "ma"
    # A server reads an account's own statuses from the database that it writes to, or from a copy that is seconds
    # behind. A request that has timed out here may still be under way. The number is our choice.
    read_lag = timedelta(seconds=45)
    read_error = staticmethod(errors.read_error)
    quota_in = staticmethod(errors.quota_in)
    refusals = errors.REFUSALS
    broken_rules = staticmethod(rules.check)
    rules = rules.RULES
    settings = MastodonSettings
    credentials = MastodonCredentials

    def address(self, credentials: MastodonCredentials) -> str:
        """Return the account's own server."""
        return credentials.instance

    def file_rules(self, draft: Draft[MastodonSettings], account: AccountFacts) -> tuple[FileRule, ...]:
        """Return the rules of files without the sizes, because each upload asks the account's server for its own."""
        return tuple(replace(rule, max_bytes=None) for rule in rules.RULES.files)

    async def whoami(self, connection: MastodonConnection) -> Identity:
        """Ask whose token this is, and what the server allows.

        Ids and names are unique on one server only, so both contain its host, unless all accounts are reached at one
        address that the operator has set.
        """
        me = await _verified(connection)
        user_id, username = require_id(me), str(me.get("username") or me.get("acct") or "")
        if connection.wire.base_url == connection.credentials.instance:
            host = urlsplit(connection.credentials.instance).netloc
            user_id, username = f"{user_id}@{host}", f"{username}@{host}"
        return Identity(user_id, username, limits=(await read_limits(connection)).numbers())

    async def prepare(self, connection: MastodonConnection, context: MastodonContext) -> None:
        """Upload the media and describe them. Repeatable: continues from the handles."""
        await Uploads(connection, context).run()

    async def publish(self, connection: MastodonConnection, context: MastodonContext) -> Published:
        """Make the status. A server that supports the key answers a repeat within an hour with the first status.

        Mastodon 4.6.0 to 4.6.5 answers a repeat with status 500 (mastodon/mastodon#40399); that is unconfirmed.
        GoToSocial and snac support no key. Pixelfed refuses a repeat, Pleroma and Akkoma repeat a refusal.
        """
        await lookup.save_newest(connection, context)
        limits = await read_limits(connection) if depends_on_server(context.draft.settings) else DEFAULTS
        body = status_body(context.draft, media_ids(context.handles) if context.draft.media else [], limits)
        refusals = int(context.handles.get(REFUSALS, 0))
        # Some servers remember a key that they refused, and refuse it forever. So each definite refusal changes the
        # key.
        key = str(uuid.uuid5(_KEYS, f"{context.target_id}/{refusals}" if refusals else context.target_id))
        try:
            answer = await send(
                connection,
                "POST",
                "/api/v1/statuses",
                public=True,
                headers={"Idempotency-Key": key},
                params=ENGLISH,
                json=body,
            )
        except PlatformError as error:
            if error.kind is ErrorKind.UNCONFIRMED and error.status == httpx.codes.UNAUTHORIZED:
                error = await _with_reason(connection, error)
            if errors.is_known_key(error):
                # The first request may have been published or refused; the list of statuses must show which.
                raise error.as_unconfirmed() from error
            if error.kind is not ErrorKind.UNCONFIRMED:
                context.handles[REFUSALS] = refusals + 1
                await context.save(context.handles)
            if error.code == errors.ATTACHMENT_GONE:
                await Uploads(connection, context).forget()
            raise await Uploads(connection, context).explain(error) from error
        return lookup.published(connection, context, entity(answer, public=True), public=True)

    async def confirm_sent(
        self, connection: MastodonConnection, context: MastodonContext, sent_at: datetime
    ) -> Finding:
        """Look for the post among the account's newest statuses, because not every server supports the key."""
        return await lookup.find(connection, context, sent_at)


async def _verified(connection: MastodonConnection) -> dict[str, Any]:
    """Read the account of the token. Raises PlatformError: `auth` if the server does not know the token."""
    try:
        return await read(connection, "/api/v1/accounts/verify_credentials")
    except PlatformError as error:
        if error.status == httpx.codes.UNPROCESSABLE_ENTITY:
            # The request contains nothing but the token: some servers call a wrong token a bad request.
            raise errors.not_accepted(error.status) from error
        raise


async def _with_reason(connection: MastodonConnection, error: PlatformError) -> PlatformError:
    """Return what a 401 to the public request means that is not in the server's own form: snac's has no body.

    If the server does not know the token when it is asked for nothing else, it has refused the post for that.
    """
    try:
        await _verified(connection)
    except PlatformError as answer:
        if answer.kind is ErrorKind.AUTH:
            return answer
    return error
