"""Connecting of accounts by codes that people post in a place of the operator's bot."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any

from accounts.connecting.apps import app_begun_with
from accounts.connecting.context import ConnectContext, Secrets
from accounts.connecting.refusals import ConnectRefused
from accounts.connecting.saving import save_accounts
from platforms.access.bots import CodeConnector
from platforms.access.connector import Candidate, Connect, connectors
from platforms.access.registered_apps import App
from platforms.errors import ErrorKind, PlatformError
from store.accounts.pending_connections import awaited_codes, find_connection, update_connection
from store.database import Database

_READS, _PAUSE_S = 4, 2.0
"""How often a step checks for a code, and the seconds between, so that a client need not poll."""


def code_connector(context: ConnectContext) -> CodeConnector[Any]:
    """Return the connector of a platform where people post codes. Raises LookupError if that is not how it connects."""
    connector = connectors()[context.row.platform]
    if isinstance(connector, CodeConnector):
        return connector
    raise LookupError(f"{context.row.platform} connects no account by a code")


async def connect_by_code(context: ConnectContext, secrets: Secrets) -> None:
    """Connect the place in which the code was posted, if the bot may publish there.

    Raises ConnectRefused, PlatformError.
    """
    connector, app = code_connector(context), app_begun_with(context, secrets)
    place = await _find_place(context, connector, app)
    try:
        identity = await context.platform.whoami(context.connection(connector.credentials_at(app, place)))
    except PlatformError as error:
        if error.kind not in {ErrorKind.AUTH, ErrorKind.REJECTED}:
            raise
        # The person can fix that, and need not post the code again.
        raise ConnectRefused("no_accounts", error.message, final=False) from error
    credentials = connector.credentials_at(app, identity.user_id)
    candidate = Candidate(identity.user_id, identity.username, "channel", credentials, identity=identity)
    await save_accounts(context, [candidate], "outcome")


async def _find_place(context: ConnectContext, connector: CodeConnector[Any], app: App) -> str:
    """Return the place in which the code of a connection was posted. Raises ConnectRefused, PlatformError.

    The codes of other connections come with it and are saved in their rows: a bot's inbox can be read once.
    """
    for read in range(_READS):
        if read:
            await asyncio.sleep(_PAUSE_S)
        async with context.database.reading() as session:
            newest = await find_connection(session, context.row.id)
        if newest is not None and newest.posted_in is not None:
            return newest.posted_in
        await _read_inbox(context.database, connector, context.connection, app)
    label = context.platform.label
    message = f"The code was not posted yet. Add the bot to your channel or group on {label}, and post the code there."
    raise ConnectRefused("authorization_pending", message, final=False)


async def _read_inbox(database: Database, connector: CodeConnector[Any], connect: Connect, app: App) -> None:
    inbox, now = await connector.inbox(connect, app), datetime.now(UTC)
    async with database.reading() as session:
        awaited = await awaited_codes(session, connector.name, [post.code for post in inbox.posts], now)
    for post in inbox.posts:
        if post.code in awaited and await connector.may_connect(connect, app, post):
            async with database.transaction() as session:
                await update_connection(session, awaited[post.code], posted_in=post.place)
            await _harmless(connector.remove_code_post, connect, app, post)
    await inbox.forget()


async def _harmless(work: Callable[..., Awaitable[None]], *arguments: Any) -> None:
    """Run work that may fail: the posted code works once, so it does no harm if the post stays."""
    with contextlib.suppress(PlatformError):
        await work(*arguments)
