"""Saving of accounts whose credentials the platform has verified, with their lines in the audit trail."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.connecting.context import ConnectContext, other_account, too_many_accounts
from accounts.credentials.app_secrets import plain
from accounts.facts import at_connecting
from accounts.revoking import Revoking, account_authorization, revoking_for
from domain.audit import WORKER, AccountAction, Actor, RevocationCause, api_key
from platforms.access.connector import Candidate
from platforms.access.renewal import Lifetimes
from platforms.base import AnyPlatform, Identity
from store.accounts.connected import has_room_for, open_credentials, save_account
from store.accounts.pending_connections import update_connection
from store.accounts.revocations import Authorization
from store.audit import add_account_event
from store.failures import persist
from store.models import Account
from store.rows import lock_row
from store.secrets.vault import Vault, VaultError

log = structlog.get_logger(__name__)


async def save_accounts(
    context: ConnectContext,
    chosen: Sequence[Candidate[Any]],
    column: str,
    permissions: Sequence[str] = (),
    missing: Sequence[str] = (),
    lifetimes: Lifetimes | None = None,
    siblings: Sequence[Candidate[Any]] = (),
) -> None:
    """Save the accounts and the connection's result in one transaction; `siblings` get the new tokens, too.

    `column` is that of the pending connection which takes the result. Raises ConnectRefused, PlatformError.
    """
    row, platform = context.row, context.platform
    verified: list[tuple[Identity, Any]] = []
    for candidate in (*chosen, *siblings):
        new_account = context.accounts.new_account(platform, candidate.credentials, row.workspace_id)
        verified.append((candidate.identity or await new_account.whoami(), new_account.credentials))
    own = verified[: len(chosen)]
    if row.account_id and [platform.account_id(identity.user_id) for identity, _ in own] != [row.account_id]:
        raise other_account(platform, row)
    # Accounts of one consent have the same tokens, which are renewed for all of them together.
    grant_subject = row.id if len(verified) > 1 else None
    actor = api_key(row.begun_by) if row.begun_by else WORKER
    reported = {"permissions": list(permissions), "missing": list(missing)}

    async def write() -> None:
        async with context.database.answers.transaction() as session:
            most, ids = context.most_accounts, [platform.account_id(identity.user_id) for identity, _ in verified]
            if most and not await has_room_for(session, row.workspace_id, ids, most):
                raise too_many_accounts(most)
            accounts = []
            for identity, credentials in verified:
                account, created = await save_verified(
                    session,
                    context.accounts.vault,
                    row.workspace_id,
                    platform,
                    identity,
                    credentials,
                    lifetimes,
                    actor,
                    grant_subject,
                    {"connection_id": row.id, "hosted": row.is_hosted},
                    revoking=revoking_for(context.accounts),
                )
                ends = None if account.renew_at else account.refresh_expires_at
                about = {"account_id": account.id, "username": account.username, "created": created, **reported}
                about |= {"connected_at": account.connected_at.isoformat(), "expires_at": ends and ends.isoformat()}
                accounts.append(about)
            # The tokens belong to the accounts now.
            await update_connection(session, row.id, **{column: {"accounts": accounts}}, sealed=None, handover=None)

    await persist(write)
    log.info(
        "connect.connected",
        platform=row.platform,
        accounts=[identity.user_id for identity, _ in verified],
        connection_id=row.id,
        hosted=row.is_hosted,
        key_id=row.begun_by,
    )


async def save_verified(
    session: AsyncSession,
    vault: Vault,
    workspace_id: str,
    platform: AnyPlatform,
    identity: Identity,
    credentials: Any,
    lifetimes: Lifetimes | None,
    actor: Actor,
    grant_subject: str | None = None,
    by: Mapping[str, Any] | None = None,
    *,
    revoking: Revoking | None,
) -> tuple[Account, bool]:
    """Connect an account, or reconnect it; return its row and whether it is a new one.

    With `revoking`, a worker then ends the authorization that is replaced, if the platform ends no other one with it.
    `lifetimes` are what the platform has reported of the tokens; `grant_subject` names the consent if several accounts
    share it. `by` are facts about the way, for the audit trail, without secrets.
    """
    account_id = platform.account_id(identity.user_id)
    replaced = await lock_row(session, Account, workspace_id, account_id)
    earlier = (
        _stored_authorization(vault, replaced, platform) if replaced is not None and revoking is not None else None
    )
    tokens = asdict(at_connecting(platform, credentials, lifetimes, datetime.now(UTC)))
    account = await save_account(
        session,
        vault,
        workspace_id=workspace_id,
        account_id=account_id,
        platform=platform.name,
        user_id=identity.user_id,
        username=identity.username,
        premium=identity.premium,
        limits=identity.limits,
        app_id=platform.app_id(credentials),
        credentials=plain(credentials),
        tokens=tokens | {"grant_subject": grant_subject},
    )
    add_account_event(
        session,
        workspace_id=workspace_id,
        platform=platform.name,
        account_id=account_id,
        action=AccountAction.CONNECTED if replaced is None else AccountAction.RECONNECTED,
        actor=actor,
        details={"username": identity.username, **(by or {})},
    )
    if earlier and revoking:
        await revoking.later(session, earlier, RevocationCause.REPLACED)
    return account, replaced is None


def _stored_authorization(vault: Vault, account: Account, platform: AnyPlatform) -> Authorization | None:
    """Return the authorization that an account has until now; None if its credentials cannot be read."""
    try:
        stored = platform.credentials.model_validate(open_credentials(vault, account))
    except VaultError:
        return None
    return account_authorization(account, stored)
