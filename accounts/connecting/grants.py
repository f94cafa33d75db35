"""The authorizations that platforms give: exchanged for, used to connect accounts, and ended if they connect none."""

import contextlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from accounts.connecting.apps import app_begun_with, connector_at, wire_to
from accounts.connecting.context import ConnectContext, ConnectRefused, Obtained, Secrets, other_account
from accounts.connecting.saving import save_accounts
from accounts.credentials.app_secrets import plain
from accounts.revoking import revoking_for
from domain.audit import RevocationCause
from platforms.access.connector import AccountAliases, Candidate
from platforms.access.consent import OAuthConnector
from platforms.access.registered_apps import App
from platforms.access.renewal import Grant
from platforms.access.token_endpoint import CODE_REJECTED
from platforms.base import AnyPlatform, Identity
from platforms.errors import ErrorKind, PlatformError
from store.accounts.connected import open_credentials
from store.accounts.pending_connections import begin_exchange, update_connection
from store.accounts.renewals import read_siblings
from store.accounts.revocations import Authorization
from store.models import Account
from store.rows import find_row
from store.secrets.vault import VaultError


def declined_permissions(
    connector: OAuthConnector[Any], app: App, grant: Grant, options: Mapping[str, str]
) -> list[str]:
    """Return the declined permissions that are not needed. Raises ConnectRefused if a needed one was declined."""
    missing = connector.missing_scopes(app, grant, options)
    if needed := [permission for permission in missing if permission not in connector.unneeded_scopes]:
        label = connector.platform.label
        message = (
            f"These permissions were declined, and {label} accounts cannot publish without them: {', '.join(needed)}. "
            "Connect again and leave them ticked."
        )
        raise ConnectRefused("permission_missing", message)
    return missing


def user_id(candidate: Candidate[Any]) -> str:
    """Return the id that the account will have at its platform: of a URN, the last part."""
    return candidate.identity.user_id if candidate.identity else candidate.id


def identified(candidates: Iterable[Candidate[Any]]) -> list[Candidate[Any]]:
    """Return the candidates that can be selected, each with the identity that the platform has just reported."""
    return [
        replace(candidate, identity=candidate.identity or Identity(candidate.id, candidate.username or candidate.name))
        for candidate in candidates
        if candidate.reason is None
    ]


def options_to_choose(platform: AnyPlatform, candidates: Sequence[Candidate[Any]]) -> list[dict[str, Any]]:
    """Return the options from which a person may choose, without secrets."""
    return [
        {
            "id": candidate.id,
            "name": candidate.name,
            "username": candidate.username,
            "type": candidate.kind,
            "account_id": platform.account_id(user_id(candidate)),
            "reason": candidate.reason,
        }
        for candidate in candidates
    ]


def sealed_candidates(candidates: Sequence[Candidate[Any]]) -> dict[str, dict[str, Any]]:
    """Return the candidates by their ids, with their credentials in clear text; only the vault may get this."""
    return {
        candidate.id: {**_without_credentials(candidate), "credentials": plain(candidate.credentials)}
        for candidate in candidates
    }


def _without_credentials(candidate: Candidate[Any]) -> dict[str, Any]:
    identity = candidate.identity
    return {
        "name": candidate.name,
        "kind": candidate.kind,
        "username": candidate.username,
        "reason": candidate.reason,
        "identity": identity
        and {
            "user_id": identity.user_id,
            "username": identity.username,
            "premium": identity.premium,
            "limits": dict(identity.limits),
        },
    }


def sealed_candidate(platform: AnyPlatform, candidate_id: str, sealed: Mapping[str, Any]) -> Candidate[Any]:
    """Return a candidate as it was when its authorization was exchanged."""
    model = platform.credentials
    credentials = model.model_validate(plain(model.model_construct(**sealed["credentials"])))
    identity = Identity(**sealed["identity"]) if sealed["identity"] else None
    return Candidate(candidate_id, sealed["name"], sealed["kind"], credentials, sealed["username"], identity=identity)


_MOST_SIBLINGS = 50
"""The largest number of other accounts that one reconnection gives new tokens."""
_MOST_OPTIONS = 1_000
"""The largest number of pages, channels or locations that a person can choose from."""


async def exchange_code(
    context: ConnectContext, connector: OAuthConnector[Any], app: App, code: str, secrets: Secrets
) -> Grant:
    """Exchange the code, and seal the tokens into the row before any other request. Raises ConnectRefused."""
    label = context.platform.label
    async with context.database.transaction() as session:
        if not await begin_exchange(session, context.row.id, datetime.now(UTC)):
            message = f"An answer of {label} was lost, and its code works once. Start again."
            raise ConnectRefused("connection_expired", message)
    wire = wire_to(context, connector)
    try:
        grant = await connector.exchange(wire, app, code, context.row.redirect_url or "", secrets["verifier"])
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
    secrets["grant"] = grant.dump()
    await context.write(sealed=context.seal(secrets))
    return grant


async def use_grant(
    context: ConnectContext, connector: OAuthConnector[Any], app: App, grant: Grant, secrets: Secrets
) -> None:
    """Connect the accounts of an authorization, or let a person choose among them.

    Raises ConnectRefused, PlatformError.
    """
    row, platform = context.row, connector.platform
    obtained = note_obtained(context, connector, app, grant)
    missing = declined_permissions(connector, app, grant, row.options)
    candidates = await _candidates(context, connector, app, grant)
    obtained.user_ids += [user_id(candidate) for candidate in candidates]
    stored = await _stored(context)
    if stored is not None and isinstance(connector, AccountAliases):
        candidates = [await connector.as_stored(context.connection, candidate, stored) for candidate in candidates]
    to_reconnect = [candidate for candidate in candidates if platform.account_id(user_id(candidate)) == row.account_id]
    usable = to_reconnect or [candidate for candidate in candidates if candidate.reason is None]
    if row.account_id is not None and not to_reconnect and len(candidates) > 1:
        raise other_account(platform, row)
    scopes = connector.requested_scopes(app, row.options) if grant.scopes is None else sorted(grant.scopes)
    permissions = list(scopes)
    if len(usable) == 1:
        siblings = await _siblings(context, candidates) if to_reconnect else []
        await save_accounts(context, usable, "outcome", permissions, missing, grant.lifetimes, siblings)
        return
    secrets |= {
        "grant": grant.dump(),
        "permissions": permissions,
        "missing": missing,
        "candidates": sealed_candidates(candidates),
    }
    await context.write(sealed=context.seal(secrets), outcome={"selection": options_to_choose(platform, candidates)})


async def _candidates(
    context: ConnectContext, connector: OAuthConnector[Any], app: App, grant: Grant
) -> list[Candidate[Any]]:
    try:
        candidates = await connector.candidates(context.connection, app, grant, context.row.options)
    except PlatformError as error:
        if error.kind in {ErrorKind.AUTH, ErrorKind.REJECTED}:
            raise ConnectRefused("no_accounts", f"There is nothing to connect: {error.message}") from error
        raise
    if not any(candidate.reason is None for candidate in candidates):
        none_listed = f"{context.platform.label} lists nothing that can publish."
        why = next((candidate.reason for candidate in candidates if candidate.reason), none_listed)
        raise ConnectRefused("no_accounts", f"There is nothing to connect: {why}")
    return candidates[:_MOST_OPTIONS]


async def _siblings(context: ConnectContext, candidates: Sequence[Candidate[Any]]) -> list[Candidate[Any]]:
    """Return the candidates that were connected together with the account that is reconnected."""
    async with context.database.transaction() as session:
        account = await find_row(session, Account, context.row.workspace_id, context.row.account_id or "")
        known = {sibling.id for sibling in await read_siblings(session, account)} if account else set()
    account_id = context.platform.account_id
    return identified(candidate for candidate in candidates if account_id(user_id(candidate)) in known)[:_MOST_SIBLINGS]


async def _stored(context: ConnectContext) -> Any:
    """Return the credentials of the account that is to be reconnected; None if they cannot be read."""
    if context.row.account_id is None:
        return None
    async with context.database.reading() as session:
        account = await find_row(session, Account, context.row.workspace_id, context.row.account_id)
    try:
        return account and context.platform.credentials.model_validate(
            open_credentials(context.accounts.vault, account)
        )
    except VaultError:
        return None


def note_obtained(context: ConnectContext, connector: OAuthConnector[Any], app: App, grant: Grant) -> Obtained:
    """Note what an authorization gave, in case that no account is connected by it."""
    obtained = Obtained(None)
    with contextlib.suppress(PlatformError):
        obtained.credentials = connector.granted_credentials(app, grant, context.row.options)
        context.obtained.append(obtained)
    return obtained


def note_sealed_grant(context: ConnectContext, secrets: Secrets) -> None:
    """Note what an authorization gave in an earlier step, which has sealed it into the row."""
    if "grant" in secrets:
        connector = connector_at(context, secrets["found"])
        obtained = note_obtained(context, connector, app_begun_with(context, secrets), Grant.load(secrets["grant"]))
        obtained.user_ids += _user_ids(secrets.get("candidates", {}))


async def revoke_obtained(session: AsyncSession, context: ConnectContext, **values: Any) -> None:
    """Save the end of a connection without an account, and let what it obtained be ended at the platform."""
    await update_connection(session, context.row.id, sealed=None, handover=None, **values)
    revoking = revoking_for(context.accounts)
    if revoking is None:
        return
    for obtained in context.obtained:
        # The line belongs to the account that was to be reconnected, else to the one that was not connected.
        users = obtained.user_ids
        named = context.platform.account_id(users[0]) if len(users) == 1 else None
        authorization = Authorization(
            context.row.workspace_id,
            context.row.platform,
            context.row.account_id or named,
            plain(obtained.credentials),
            users,
            context.platform.app_id(obtained.credentials),
        )
        await revoking.later(session, authorization, RevocationCause.REFUSED)


def _user_ids(candidates: Secrets) -> Iterable[str]:
    return [candidate["identity"]["user_id"] if candidate["identity"] else id_ for id_, candidate in candidates.items()]
