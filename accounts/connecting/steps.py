"""The steps of connecting accounts: begin, push the request, finish, and connect what a person has selected.

The API holds no app secrets and no key of the vault, so a worker takes all of them. The results are written into the
row of the pending connection.
"""

import asyncio
import base64
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from secrets import token_urlsafe
from typing import Any

from pydantic import BaseModel, ValidationError

from accounts.connecting.apps import app_begun_with, app_for, connector_at, find_server, register, wire_to
from accounts.connecting.context import ConnectContext, ConnectRefused, Obtained, Secrets, consent_declined
from accounts.connecting.grants import exchange_code, note_sealed_grant, sealed_candidate, use_grant
from accounts.connecting.saving import save_accounts
from platforms.access.bots import CodeConnector
from platforms.access.connector import Candidate, Connect, connectors
from platforms.access.consent import FindsServer, OAuthConnector, PushesRequest, pkce_challenge
from platforms.access.registered_apps import App
from platforms.access.renewal import Grant
from platforms.errors import ErrorKind, PlatformError
from store.accounts.pending_connections import awaited_codes, update_connection
from store.database import Database
from store.models import PendingConnection
from store.rows import current_row
from store.secrets.handover import new_pair


async def connect_with_credentials(context: ConnectContext, fields: Mapping[str, Any]) -> None:
    """Connect the account of credentials that the client has. Raises ConnectRefused, PlatformError."""
    credentials = _parsed(context, fields)
    new_account = context.accounts.new_account(context.platform, credentials, context.row.workspace_id)
    try:
        identity = await new_account.whoami()
    except PlatformError as error:
        if error.kind is ErrorKind.AUTH and "no longer accepts this" in error.message:
            message = f"{context.platform.label} does not accept these credentials. Check them and try again."
            raise ConnectRefused("credentials_rejected", message, param="credentials") from error
        if error.kind in {ErrorKind.AUTH, ErrorKind.REJECTED}:
            raise ConnectRefused("credentials_rejected", error.message, param="credentials") from error
        raise
    connector, now = connectors().get(context.row.platform), new_account.credentials
    renewed = isinstance(connector, OAuthConnector) and (
        connector.revocable_tokens(now) != connector.revocable_tokens(credentials)
    )
    if renewed:
        context.obtained.append(Obtained(new_account.credentials, [identity.user_id]))
    candidate = Candidate(identity.user_id, identity.username, "profile", new_account.credentials, identity=identity)
    await save_accounts(context, [candidate], "outcome", lifetimes=new_account.lifetimes)


def _parsed(context: ConnectContext, fields: Mapping[str, Any]) -> BaseModel:
    platform = context.platform
    try:
        credentials: BaseModel = platform.credentials.model_validate(dict(fields))
    except ValidationError as error:
        where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
        message = f"{platform.label} does not take these credentials: {where or 'a field'} is missing or wrong."
        raise ConnectRefused("invalid_field_value", message, param="credentials") from None
    if any(getattr(credentials, name) is not None for name in platform.service_fields):
        message = f"{platform.label} does not take these credentials: this service alone writes some of them."
        raise ConnectRefused("invalid_field_value", message, param="credentials")
    apps, client_id = context.accounts.registered_apps, platform.app_id(credentials)
    if apps.is_of_others(platform, client_id, context.row.workspace_id):
        message = "clientId names an app that this workspace may not use. Leave it out, or name an app of your own."
        raise ConnectRefused("invalid_field_value", message, param="credentials")
    return credentials


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
            newest = await current_row(session, PendingConnection, context.row.id)
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


_VERIFIER_BYTES = 32


async def begin(context: ConnectContext) -> None:
    """Seal the secrets of this connection, and save the address to which the person is to be sent."""
    row = context.row
    if row.public_key is not None:
        return
    private, public = new_pair()
    secrets: Secrets = {"private_key": base64.b64encode(private).decode()}
    address = None
    if context.is_by_code:
        app = app_for(context)
        secrets |= {"client_id": app.client_id}
        address = await code_connector(context).invite(context.connection, app)
    elif row.redirect_url is not None:
        app, server_facts = app_for(context), await find_server(context)
        connector = connector_at(context, server_facts)
        wire = wire_to(context, connector)
        app = await register(context, connector, wire, app)
        secrets |= {"verifier": token_urlsafe(_VERIFIER_BYTES), "client_id": app.client_id, "found": server_facts}
        if context.platform.app.registers_itself:
            secrets |= {"client_secret": app.secret, "app_options": dict(app.options)}
        if not isinstance(connector, PushesRequest):
            challenge = pkce_challenge(secrets["verifier"])
            address = connector.consent_address(wire, app, row.redirect_url, challenge, row.options)
    await context.write(public_key=public, sealed=context.seal(secrets), authorize_url=address)


async def push(context: ConnectContext) -> None:
    """Push the authorization request to the server, with the state that the API has handed over."""
    row = context.row
    if row.authorize_url is not None:
        return
    secrets = context.open_secrets()
    handover = context.open_handover(secrets)
    connector, app = connector_at(context, secrets["found"]), app_begun_with(context, secrets)
    if not isinstance(connector, PushesRequest):
        return
    wire, challenge = wire_to(context, connector), pkce_challenge(secrets["verifier"])
    address = await connector.push(wire, app, row.redirect_url or "", challenge, handover["state"])
    await context.write(authorize_url=address, handover=None)


async def finish(context: ConnectContext) -> None:
    """Connect accounts by a posted code, by given credentials, or by the answer with which a person came back."""
    row = context.row
    if row.outcome is not None and row.outcome.get("final", True):
        return
    secrets = context.open_secrets()
    if context.is_by_code:
        await connect_by_code(context, secrets)
        return
    if row.consumed_at is None:
        # The API has handed over neither a code nor credentials: only a client of Temporal can ask for this.
        return
    handover = context.open_handover(secrets)
    if row.redirect_url is None:
        await connect_with_credentials(context, handover["credentials"])
        return
    connector = connector_at(context, secrets["found"])
    if "error" in handover:
        raise consent_declined(context.platform, str(handover["error"]))
    app = app_begun_with(context, secrets)
    if "grant" in secrets:
        grant = Grant.load(secrets["grant"])
    elif isinstance(connector, FindsServer) and not connector.is_issuer(handover.get("iss") or None):
        message = "This answer is not that of the server to which the person was sent. Start again, and send `iss`."
        raise ConnectRefused("code_rejected", message)
    else:
        grant = await exchange_code(context, connector, app, handover["code"], secrets)
    await use_grant(context, connector, app, grant, secrets)


async def select(context: ConnectContext) -> None:
    """Connect the accounts that a person has selected."""
    row = context.row
    if row.selected_ids is None or (row.selection_result is not None and row.selection_result.get("final", True)):
        return
    secrets = context.open_secrets()
    note_sealed_grant(context, secrets)
    candidates = secrets["candidates"]
    chosen = []
    for candidate_id in row.selected_ids:
        if candidate_id not in candidates or candidates[candidate_id]["reason"] is not None:
            message = "One of these ids is not among the options of this selection, or cannot be selected."
            raise ConnectRefused("invalid_field_value", message, param="ids")
        chosen.append(sealed_candidate(context.platform, candidate_id, candidates[candidate_id]))
    grant = Grant.load(secrets["grant"])
    await save_accounts(
        context, chosen, "selection_result", secrets["permissions"], secrets["missing"], grant.lifetimes
    )
