"""Connecting of accounts: begin an authorization, finish it, and connect the accounts that a person has selected.

The API holds no app secrets and no key of the vault, so all of this is done here. The results are written into the
connection's row; only ids go through Temporal.
"""

import asyncio
import base64
import secrets
from typing import Any

import structlog
from temporalio import activity

from accounts.connecting.apps import app_for, app_of, connector_at, find_server, register, wire_to
from accounts.connecting.authorizations import exchange_code, use_grant
from accounts.connecting.context import ConnectContext
from accounts.connecting.own_credentials import connect_with
from accounts.connecting.posted_codes import code_connector, connect_by_code
from accounts.connecting.refusals import ConnectRefused, away, declined, refusal_of
from accounts.connecting.saving import save_accounts
from accounts.connecting.unused_grants import note_sealed, revoke_obtained
from accounts.credentials.connections import AccountConnections
from accounts.credentials.plain import plain
from activities.commands import ConnectCommand
from platforms.access.account_servers import FindsServer, PushesRequest
from platforms.access.connector import Candidate
from platforms.access.consent import pkce_challenge
from platforms.access.grants import Grant
from platforms.base import Identity
from platforms.errors import PlatformError
from store.accounts.connecting import find_connection
from store.database import Database
from store.persist import persist
from store.secrets.handover import HandoverError, new_pair
from store.secrets.vault import VaultError

log = structlog.get_logger(__name__)

_VERIFIER_BYTES = 32
_STEP_S = 21.0
"""The time limit of a step: it ends before its workflow does, so a repeated request does not meet a running step."""


class Connecting:
    """The worker's part of connecting accounts."""

    def __init__(self, database: Database, accounts: AccountConnections, most_accounts: int) -> None:
        self._database = database
        self._accounts = accounts
        self._most_accounts = most_accounts

    @activity.defn
    async def connect(self, command: ConnectCommand) -> None:
        """Take one step, and save its result. A repeated step continues from the saved state."""
        async with self._database.reading() as session:
            row = await find_connection(session, command.connection_id)
        if row is None:
            return
        step = ConnectContext(self._database, self._accounts, row, self._most_accounts)
        take, column = {
            "begin": (_begin, "outcome"),
            "push": (_push, "outcome"),
            "finish": (_finish, "outcome"),
            "select": (_select, "selection_result"),
        }[command.step]
        try:
            async with asyncio.timeout(_STEP_S):
                await take(step)
                return
        except ConnectRefused as error:
            refused = error
        except PlatformError as error:
            refused = refusal_of(step.platform, error, step.server_param)
        except TimeoutError:
            refused = away(step.platform)
        except (VaultError, HandoverError):
            refused = ConnectRefused("connection_expired", "This connection can no longer be read. Start again.")
        found = refused.outcome
        log.info("connect.refused", platform=row.platform, code=found["error"]["code"], final=found["final"])
        if not found["final"] or not step.obtained:
            await step.write(**{column: found})
            return

        async def end() -> None:
            async with step.database.answers.transaction() as session:
                await revoke_obtained(session, step, **{column: found})

        await persist(end)


async def _begin(step: ConnectContext) -> None:
    """Seal the secrets of this connection, and save the address to which the person is to be sent."""
    row = step.row
    if row.public_key is not None:
        return
    private, public = new_pair()
    kept: dict[str, Any] = {"private_key": base64.b64encode(private).decode()}
    address = None
    if step.is_by_code:
        app = app_for(step)
        kept |= {"client_id": app.client_id}
        address = await code_connector(step).invite(step.line, app)
    elif row.redirect_url is not None:
        app, server = app_for(step), await find_server(step)
        connector = connector_at(step, server)
        wire = wire_to(step, connector)
        app = await register(step, connector, wire, app)
        kept |= {"verifier": secrets.token_urlsafe(_VERIFIER_BYTES), "client_id": app.client_id, "found": server}
        if step.platform.app.registers_itself:
            kept |= {"client_secret": app.secret, "app_options": dict(app.options)}
        if not isinstance(connector, PushesRequest):
            challenge = pkce_challenge(kept["verifier"])
            address = connector.consent_address(wire, app, row.redirect_url, challenge, row.options)
    await step.write(public_key=public, sealed=step.seal(kept), authorize_url=address)


async def _push(step: ConnectContext) -> None:
    """Push the authorization request to the server, with the state that the API has handed over."""
    row = step.row
    if row.authorize_url is not None:
        return
    kept = step.kept()
    given = step.handed_over(kept)
    connector, app = connector_at(step, kept["found"]), app_of(step, kept)
    if not isinstance(connector, PushesRequest):
        return
    wire, challenge = wire_to(step, connector), pkce_challenge(kept["verifier"])
    address = await connector.push(wire, app, row.redirect_url or "", challenge, given["state"])
    await step.write(authorize_url=address, handover=None)


async def _finish(step: ConnectContext) -> None:
    """Connect accounts by a posted code, by given credentials, or by the answer with which a person came back."""
    row = step.row
    if row.outcome is not None and row.outcome.get("final", True):
        return
    kept = step.kept()
    if step.is_by_code:
        await connect_by_code(step, kept)
        return
    if row.consumed_at is None:
        # The API has handed over neither a code nor credentials: only somebody at Temporal can ask for this.
        return
    given = step.handed_over(kept)
    if row.redirect_url is None:
        await connect_with(step, given["credentials"])
        return
    connector = connector_at(step, kept["found"])
    if "error" in given:
        raise declined(step.platform, str(given["error"]))
    app = app_of(step, kept)
    if "grant" in kept:
        grant = Grant.load(kept["grant"])
    elif isinstance(connector, FindsServer) and not connector.is_issuer(given.get("iss") or None):
        message = "This answer is not that of the server to which the person was sent. Start again, and send `iss`."
        raise ConnectRefused("code_rejected", message)
    else:
        grant = await exchange_code(step, connector, app, given["code"], kept)
    await use_grant(step, connector, app, grant, kept)


async def _select(step: ConnectContext) -> None:
    """Connect the accounts that a person has selected."""
    row = step.row
    if row.selected_ids is None or (row.selection_result is not None and row.selection_result.get("final", True)):
        return
    kept = step.kept()
    note_sealed(step, kept)
    stored = kept["candidates"]
    chosen = []
    for each in row.selected_ids:
        if each not in stored or stored[each]["reason"] is not None:
            message = "One of these ids is not among the options of this selection, or cannot be selected."
            raise ConnectRefused("invalid_field_value", message, param="ids")
        about, model = stored[each], step.platform.credentials
        credentials = model.model_validate(plain(model.model_construct(**about["credentials"])))
        identity = Identity(**about["identity"]) if about["identity"] else None
        chosen.append(Candidate(each, about["name"], about["kind"], credentials, about["username"], identity=identity))
    grant = Grant.load(kept["grant"])
    await save_accounts(step, chosen, "selection_result", kept["permissions"], kept["missing"], grant.lifetimes)
