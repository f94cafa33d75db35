"""Connecting of accounts: begin an authorization, exchange its code, and save the chosen accounts.

The API holds no app secrets and no key of the vault, so all of this is done here. The results are written into the
connection's row; only ids go through Temporal.
"""

import asyncio
import base64
import contextlib
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import structlog
from pydantic import BaseModel, ValidationError
from temporalio import activity

from activities.accounts.connect_apps import app_for, app_of, find_server, register, wire_to
from activities.accounts.connect_candidates import declined_of, identified, number_of, options_of, stored_of
from activities.accounts.connect_refusals import Refused, away, declined, different, full, refusal_of
from activities.accounts.connected import save_verified
from activities.accounts.posted_codes import place_of_code
from activities.commands import ConnectCommand
from activities.credentials.plain import plain
from activities.persist import persist
from activities.step_context import StepContextFactory
from domain.audit import WORKER, api_key
from platforms.access.connect import CODE_REJECTED, Candidate, Connect, Connector, Grant, challenge_of, connectors
from platforms.access.registered_apps import App
from platforms.access.renewal import Lifetimes
from platforms.base import Identity, Platform
from platforms.errors import ErrorKind, PlatformError
from platforms.registry import platforms
from store.accounts.connected import find_account, has_room_for, open_credentials
from store.accounts.connecting import begin_exchange, find_connection, note
from store.accounts.grants import siblings_of
from store.accounts.removal import is_in_other_workspace
from store.models import PendingConnection
from store.secrets.handover import HandoverError, new_pair, open_handover
from store.secrets.vault import VaultError

log = structlog.get_logger(__name__)

_VERIFIER_BYTES = 32
_STEP_S = 21.0
"""The time limit of a step: it ends before its workflow does, so a repeated request does not meet a running step."""
_MOST_SIBLINGS = 50
"""The largest number of other accounts that one reconnection gives new tokens."""
_MOST_OPTIONS = 1_000
"""The largest number of pages, channels or locations that a person can choose from."""


class Connecting:
    """The worker's part of connecting accounts."""

    def __init__(self, factory: StepContextFactory) -> None:
        self._factory = factory
        self._database = factory.database

    @activity.defn
    async def connect(self, command: ConnectCommand) -> None:
        """Take one step, and save its result. A repeated step continues from the saved state."""
        async with self._database.reading() as session:
            row = await find_connection(session, command.connection_id)
        if row is None:
            return None
        take, column = {
            "begin": (self._begin, "outcome"),
            "push": (self._push, "outcome"),
            "finish": (self._finish, "outcome"),
            "select": (self._select, "selection_result"),
        }[command.step]
        try:
            async with asyncio.timeout(_STEP_S):
                return await take(row)
        except Refused as error:
            refused = error
        except PlatformError as error:
            refused = refusal_of(platforms()[row.platform], error)
        except TimeoutError:
            refused = away(platforms()[row.platform])
        except (VaultError, HandoverError):
            refused = Refused("connection_expired", "This connection can no longer be read. Start again.")
        found = refused.outcome
        log.info("connect.refused", platform=row.platform, code=found["error"]["code"], final=found["final"])
        return await self._write(row, **{column: found})

    async def _begin(self, row: PendingConnection) -> None:
        if row.public_key is not None:
            return
        platform = platforms()[row.platform]
        private, public = new_pair()
        kept: dict[str, Any] = {"private_key": base64.b64encode(private).decode()}
        address = None
        if _is_by_code(row):
            connector, app = connectors()[row.platform], app_for(self._factory, row)
            wire = wire_to(self._factory, row, connector)
            kept |= {"client_id": app.client_id}
            address = await connector.invite(wire, self._line_of(platform, row), app)
        elif row.redirect_url is not None:
            app, found = app_for(self._factory, row), await find_server(self._factory, row)
            connector = connectors()[row.platform].of(found)
            wire = wire_to(self._factory, row, connector)
            app = await register(connector, wire, app, row)
            kept |= {"verifier": secrets.token_urlsafe(_VERIFIER_BYTES), "client_id": app.client_id, "found": found}
            if platform.registers_itself:
                kept |= {"client_secret": app.secret, "app_options": dict(app.options)}
            if not connector.pushes:
                challenge = challenge_of(kept["verifier"])
                address = connector.address(wire, app, row.redirect_url, challenge, row.options)
        await self._write(row, public_key=public, sealed=self._seal(row, kept), authorize_url=address)

    async def _push(self, row: PendingConnection) -> None:
        """Push the authorization request to the server, with the state that the API has handed over."""
        if row.authorize_url is not None:
            return
        kept = self._factory.accounts.vault.open(row.sealed or b"", _context(row))
        given = open_handover(base64.b64decode(kept["private_key"]), row.handover or b"", row.id)
        connector, app = connectors()[row.platform].of(kept["found"]), app_of(self._factory, row, kept)
        wire, challenge = wire_to(self._factory, row, connector), challenge_of(kept["verifier"])
        address = await connector.push(wire, app, row.redirect_url or "", challenge, given["state"])
        await self._write(row, authorize_url=address, handover=None)

    async def _finish(self, row: PendingConnection) -> None:
        if row.outcome is not None and row.outcome.get("final", True):
            return None
        kept = self._factory.accounts.vault.open(row.sealed or b"", _context(row))
        if _is_by_code(row):
            return await self._finish_by_code(row, kept)
        given = open_handover(base64.b64decode(kept["private_key"]), row.handover or b"", row.id)
        if row.redirect_url is None:
            return await self._connect_with(row, given["credentials"])
        platform, connector = platforms()[row.platform], connectors()[row.platform].of(kept["found"])
        if "error" in given:
            raise declined(platform, str(given["error"]))
        app = app_of(self._factory, row, kept)
        if "grant" in kept:
            grant = Grant.load(kept["grant"])
        elif not connector.is_from(given.get("iss") or None):
            message = "This answer is not that of the server to which the person was sent. Start again, and send `iss`."
            raise Refused("code_rejected", message)
        else:
            grant = await self._exchange(row, connector, app, given["code"], kept)
        return await self._use(row, connector, app, grant, kept)

    async def _use(
        self, row: PendingConnection, connector: Connector[Any], app: App, grant: Grant, kept: dict[str, Any]
    ) -> None:
        """Connect the accounts of an authorization, or let a person choose among them."""
        platform = connector.platform
        missing = declined_of(connector, app, grant, row.options)
        found = await self._candidates(row, connector, app, grant)
        line, stored = self._line_of(platform, row), await self._stored(platform, row)
        if stored is not None:
            found = [await connector.match_stored(line, each, stored) for each in found]
        chosen = [each for each in found if platform.account_id(number_of(each)) == row.account_id]
        usable = chosen or [each for each in found if each.reason is None]
        if row.account_id is not None and not chosen and len(found) > 1:
            raise different(platform, row)
        permissions = sorted(grant.scopes) if grant.scopes is not None else list(connector.wanted(app, row.options))
        if len(usable) == 1:
            siblings = await self._siblings(row, found) if chosen else []
            try:
                await self._keep(row, usable, "outcome", permissions, missing, grant.lifetimes, siblings)
            except Refused:
                await _remove_unused(connector, line, usable[0].credentials)
                raise
            if stored is not None and not await self._is_shared(row):
                await _remove_unused(connector, line, stored)
            return None
        kept |= {"grant": grant.dump(), "permissions": permissions, "missing": missing, "candidates": stored_of(found)}
        outcome = {"selection": options_of(platform, found)}
        return await self._write(row, sealed=self._seal(row, kept), outcome=outcome)

    async def _siblings(self, row: PendingConnection, found: Sequence[Candidate[Any]]) -> list[Candidate[Any]]:
        """Return the candidates that were connected together with the account that is reconnected."""
        async with self._database.transaction() as session:
            account = await find_account(session, row.workspace_id, row.account_id or "")
            known = {each.id for each in await siblings_of(session, account)} if account else set()
        of = platforms()[row.platform].account_id
        return identified(each for each in found if of(number_of(each)) in known)[:_MOST_SIBLINGS]

    async def _finish_by_code(self, row: PendingConnection, kept: Mapping[str, Any]) -> None:
        """Connect the place in which the code was posted, if the bot may publish there."""
        platform, connector = platforms()[row.platform], connectors()[row.platform]
        app, line = app_of(self._factory, row, kept), self._line_of(platform, row)
        place = await place_of_code(self._database, row, connector, line, app)
        try:
            identity = await platform.whoami(line(connector.credentials_at(app, place)))
        except PlatformError as error:
            if error.kind not in {ErrorKind.AUTH, ErrorKind.REJECTED}:
                raise
            # The person can fix that, and need not post the code again.
            raise Refused("no_accounts", error.message, final=False) from error
        credentials = connector.credentials_at(app, identity.user_id)
        candidate = Candidate(identity.user_id, identity.username, "channel", credentials, identity=identity)
        await self._keep(row, [candidate], "outcome", [], [], None)

    async def _exchange(
        self, row: PendingConnection, connector: Connector[Any], app: App, code: str, kept: dict[str, Any]
    ) -> Grant:
        """Exchange the code, and seal the tokens into the row before any other request."""
        platform = platforms()[row.platform]
        async with self._database.transaction() as session:
            if not await begin_exchange(session, row.id, datetime.now(UTC)):
                raise Refused(
                    "connection_expired",
                    f"An answer of {platform.label} was lost, and its code works once. Start again.",
                )
        wire = wire_to(self._factory, row, connector)
        try:
            grant = await connector.exchange(wire, app, code, row.redirect_url or "", kept["verifier"])
        except PlatformError as error:
            if error.code == CODE_REJECTED:
                raise Refused(
                    "code_rejected",
                    f"{platform.label} does not accept this code: it accepts one for {connector.code_lifetime}, once. "
                    "Start again.",
                ) from error
            if error.kind is ErrorKind.OPERATOR:
                raise Refused("app_refused", error.message) from error
            message = f"{platform.label} did not answer, and the code may be used up. Start again."
            raise Refused("unavailable", message) from error
        kept["grant"] = grant.dump()
        await self._write(row, sealed=self._seal(row, kept))
        return grant

    async def _candidates(
        self, row: PendingConnection, connector: Connector[Any], app: App, grant: Grant
    ) -> list[Candidate[Any]]:
        platform = platforms()[row.platform]
        try:
            found = await connector.candidates(self._line_of(platform, row), app, grant, row.options)
        except PlatformError as error:
            if error.kind in {ErrorKind.AUTH, ErrorKind.REJECTED}:
                raise Refused("no_accounts", f"There is nothing to connect: {error.message}") from error
            raise
        if not any(each.reason is None for each in found):
            why = next(
                (each.reason for each in found if each.reason), f"{platform.label} lists nothing that can publish."
            )
            raise Refused("no_accounts", f"There is nothing to connect: {why}")
        return found[:_MOST_OPTIONS]

    def _line_of(self, platform: Platform[Any, Any], row: PendingConnection) -> Connect:
        return lambda credentials: (
            self._factory.accounts.new_account(platform, credentials, row.workspace_id).connection
        )

    async def _stored(self, platform: Platform[Any, Any], row: PendingConnection) -> Any:
        """Return the credentials of the account that is to be reconnected; None if they cannot be read."""
        if row.account_id is None:
            return None
        async with self._database.reading() as session:
            account = await find_account(session, row.workspace_id, row.account_id)
        try:
            return account and platform.credentials.model_validate(
                open_credentials(self._factory.accounts.vault, account)
            )
        except VaultError:
            return None

    async def _is_shared(self, row: PendingConnection) -> bool:
        """Return whether another workspace has the same account of the platform."""
        async with self._database.reading() as session:
            return await is_in_other_workspace(session, row.workspace_id, row.account_id or "")

    async def _select(self, row: PendingConnection) -> None:
        if row.selection_result is not None and row.selection_result.get("final", True):
            return
        kept = self._factory.accounts.vault.open(row.sealed or b"", _context(row))
        platform, stored = platforms()[row.platform], kept["candidates"]
        chosen = []
        for each in row.selected_ids or []:
            if each not in stored or stored[each]["reason"] is not None:
                message = "One of these ids is not among the options of this selection, or cannot be selected."
                raise Refused("invalid_field_value", message, param="ids")
            about, credentials = stored[each], platform.credentials.model_construct(**stored[each]["credentials"])
            credentials = platform.credentials.model_validate(plain(credentials))
            identity = Identity(**about["identity"]) if about["identity"] else None
            chosen.append(
                Candidate(each, about["name"], about["kind"], credentials, about["username"], identity=identity)
            )
        grant = Grant.load(kept["grant"])
        await self._keep(row, chosen, "selection_result", kept["permissions"], kept["missing"], grant.lifetimes)

    async def _connect_with(self, row: PendingConnection, given: Mapping[str, Any]) -> None:
        """Connect the account of credentials that the client already has."""
        platform = platforms()[row.platform]
        try:
            credentials: BaseModel = platform.credentials.model_validate(dict(given))
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
            message = f"{platform.label} does not take these credentials: {where or 'a field'} is missing or wrong."
            raise Refused("invalid_field_value", message, param="credentials") from None
        if any(getattr(credentials, name) is not None for name in platform.service_fields):
            message = f"{platform.label} does not take these credentials: this service alone writes some of them."
            raise Refused("invalid_field_value", message, param="credentials")
        new_account = self._factory.accounts.new_account(platform, credentials, row.workspace_id)
        try:
            identity = await new_account.whoami()
        except PlatformError as error:
            if error.kind is ErrorKind.AUTH and "no longer accepts this" in error.message:
                message = f"{platform.label} does not accept these credentials. Check them and try again."
                raise Refused("credentials_rejected", message, param="credentials") from error
            if error.kind in {ErrorKind.AUTH, ErrorKind.REJECTED}:
                raise Refused("credentials_rejected", error.message, param="credentials") from error
            raise
        candidate = Candidate(
            identity.user_id, identity.username, "profile", new_account.credentials, identity=identity
        )
        await self._keep(row, [candidate], "outcome", [], [], new_account.lifetimes)

    async def _keep(
        self,
        row: PendingConnection,
        chosen: Sequence[Candidate[Any]],
        column: str,
        permissions: Sequence[str],
        missing: Sequence[str],
        lifetimes: Lifetimes | None,
        siblings: Sequence[Candidate[Any]] = (),
    ) -> None:
        """Save the accounts and the connection's result in one transaction; `siblings` get the new tokens, too."""
        platform = platforms()[row.platform]
        verified: list[tuple[Identity, Any]] = []
        for each in (*chosen, *siblings):
            new_account = self._factory.accounts.new_account(platform, each.credentials, row.workspace_id)
            verified.append((each.identity or await new_account.whoami(), new_account.credentials))
        own = verified[: len(chosen)]
        if row.account_id and [platform.account_id(each.user_id) for each, _ in own] != [row.account_id]:
            raise different(platform, row)
        # Accounts of one consent have the same tokens, which are renewed for all of them together.
        grant_subject = row.id if len(verified) > 1 else None
        actor = api_key(row.begun_by) if row.begun_by else WORKER
        reported = {"permissions": list(permissions), "missing": list(missing)}

        async def write() -> None:
            async with self._database.answers.transaction() as session:
                most, ids = self._factory.most_accounts, [platform.account_id(each.user_id) for each, _ in verified]
                if most and not await has_room_for(session, row.workspace_id, ids, most):
                    raise full(most)
                accounts = []
                for identity, credentials in verified:
                    account, created = await save_verified(
                        session,
                        self._factory.accounts.vault,
                        row.workspace_id,
                        platform,
                        identity,
                        credentials,
                        lifetimes,
                        actor,
                        grant_subject,
                        {"connection_id": row.id, "hosted": row.is_hosted},
                    )
                    ends = None if account.renew_at else account.refresh_expires_at
                    about = {"account_id": account.id, "username": account.username, "created": created, **reported}
                    about |= {"connected_at": account.connected_at.isoformat(), "expires_at": ends and ends.isoformat()}
                    accounts.append(about)
                # The tokens belong to the accounts now.
                await note(session, row.id, **{column: {"accounts": accounts}}, sealed=None, handover=None)

        await persist(write)
        log.info(
            "connect.connected",
            platform=row.platform,
            accounts=[each.user_id for each, _ in verified],
            connection_id=row.id,
            hosted=row.is_hosted,
            key_id=row.begun_by,
        )

    def _seal(self, row: PendingConnection, kept: dict[str, Any]) -> bytes:
        return self._factory.accounts.vault.seal(kept, _context(row))

    async def _write(self, row: PendingConnection, **values: Any) -> None:
        async def write() -> None:
            async with self._database.answers.transaction() as session:
                await note(session, row.id, **values)

        await persist(write)


async def _remove_unused(connector: Connector[Any], line: Connect, credentials: Any) -> None:
    """Remove at the platform what is no longer used; a failure of that does no harm."""
    with contextlib.suppress(PlatformError):
        await connector.remove_unused(line, credentials)


def _is_by_code(row: PendingConnection) -> bool:
    """Return whether a person posts the state, instead of coming back from a platform with it."""
    return row.state_hash is not None and row.redirect_url is None


def _context(row: PendingConnection) -> str:
    return f"connection/{row.workspace_id}/{row.id}"
