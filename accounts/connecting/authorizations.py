"""The authorization that a platform gives: its code is exchanged, and the accounts that it reaches are connected."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from accounts.connecting.apps import wire_to
from accounts.connecting.candidates import declined_of, identified, number_of, options_of, stored_of
from accounts.connecting.context import ConnectContext
from accounts.connecting.refusals import ConnectRefused, different
from accounts.connecting.saving import save_accounts
from accounts.connecting.unused_grants import note_obtained
from platforms.access.connector import AccountAliases, Candidate
from platforms.access.consent import OAuthConnector
from platforms.access.grants import Grant
from platforms.access.registered_apps import App
from platforms.access.token_endpoint import CODE_REJECTED
from platforms.errors import ErrorKind, PlatformError
from store.accounts.connected import find_account, open_credentials
from store.accounts.connecting import begin_exchange
from store.accounts.grants import read_siblings
from store.secrets.vault import VaultError

_MOST_SIBLINGS = 50
"""The largest number of other accounts that one reconnection gives new tokens."""
_MOST_OPTIONS = 1_000
"""The largest number of pages, channels or locations that a person can choose from."""


async def exchange_code(
    step: ConnectContext, connector: OAuthConnector[Any], app: App, code: str, kept: dict[str, Any]
) -> Grant:
    """Exchange the code, and seal the tokens into the row before any other request. Raises ConnectRefused."""
    label = step.platform.label
    async with step.database.transaction() as session:
        if not await begin_exchange(session, step.row.id, datetime.now(UTC)):
            message = f"An answer of {label} was lost, and its code works once. Start again."
            raise ConnectRefused("connection_expired", message)
    wire = wire_to(step, connector)
    try:
        grant = await connector.exchange(wire, app, code, step.row.redirect_url or "", kept["verifier"])
    except PlatformError as error:
        if error.code == CODE_REJECTED:
            message = (
                f"{label} does not accept this code: it accepts one for {connector.code_lifetime}, once. Start again."
            )
            raise ConnectRefused("code_rejected", message) from error
        if error.kind is ErrorKind.OPERATOR:
            raise ConnectRefused("app_refused", error.message) from error
        message = f"{label} did not answer, and the code may be used up. Start again."
        raise ConnectRefused("unavailable", message) from error
    kept["grant"] = grant.dump()
    await step.write(sealed=step.seal(kept))
    return grant


async def use_grant(
    step: ConnectContext, connector: OAuthConnector[Any], app: App, grant: Grant, kept: dict[str, Any]
) -> None:
    """Connect the accounts of an authorization, or let a person choose among them.

    Raises ConnectRefused, PlatformError.
    """
    row, platform = step.row, connector.platform
    obtained = note_obtained(step, connector, app, grant)
    missing = declined_of(connector, app, grant, row.options)
    found = await _candidates(step, connector, app, grant)
    obtained.user_ids += [number_of(each) for each in found]
    stored = await _stored(step)
    if stored is not None and isinstance(connector, AccountAliases):
        found = [await connector.as_stored(step.line, each, stored) for each in found]
    chosen = [each for each in found if platform.account_id(number_of(each)) == row.account_id]
    usable = chosen or [each for each in found if each.reason is None]
    if row.account_id is not None and not chosen and len(found) > 1:
        raise different(platform, row)
    permissions = (
        sorted(grant.scopes) if grant.scopes is not None else list(connector.requested_scopes(app, row.options))
    )
    if len(usable) == 1:
        siblings = await _siblings(step, found) if chosen else []
        await save_accounts(step, usable, "outcome", permissions, missing, grant.lifetimes, siblings)
        return
    kept |= {"grant": grant.dump(), "permissions": permissions, "missing": missing, "candidates": stored_of(found)}
    await step.write(sealed=step.seal(kept), outcome={"selection": options_of(platform, found)})


async def _candidates(
    step: ConnectContext, connector: OAuthConnector[Any], app: App, grant: Grant
) -> list[Candidate[Any]]:
    try:
        found = await connector.candidates(step.line, app, grant, step.row.options)
    except PlatformError as error:
        if error.kind in {ErrorKind.AUTH, ErrorKind.REJECTED}:
            raise ConnectRefused("no_accounts", f"There is nothing to connect: {error.message}") from error
        raise
    if not any(each.reason is None for each in found):
        none_listed = f"{step.platform.label} lists nothing that can publish."
        why = next((each.reason for each in found if each.reason), none_listed)
        raise ConnectRefused("no_accounts", f"There is nothing to connect: {why}")
    return found[:_MOST_OPTIONS]


async def _siblings(step: ConnectContext, found: Sequence[Candidate[Any]]) -> list[Candidate[Any]]:
    """Return the candidates that were connected together with the account that is reconnected."""
    async with step.database.transaction() as session:
        account = await find_account(session, step.row.workspace_id, step.row.account_id or "")
        known = {each.id for each in await read_siblings(session, account)} if account else set()
    of = step.platform.account_id
    return identified(each for each in found if of(number_of(each)) in known)[:_MOST_SIBLINGS]


async def _stored(step: ConnectContext) -> Any:
    """Return the credentials of the account that is to be reconnected; None if they cannot be read."""
    if step.row.account_id is None:
        return None
    async with step.database.reading() as session:
        account = await find_account(session, step.row.workspace_id, step.row.account_id)
    try:
        return account and step.platform.credentials.model_validate(open_credentials(step.accounts.vault, account))
    except VaultError:
        return None
