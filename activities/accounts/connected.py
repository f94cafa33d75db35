"""Saving of an account whose credentials the platform has verified, with its line in the audit trail."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from activities.credentials.plain import plain
from activities.credentials.token_times import at_connecting
from domain.account_events import AccountAction
from domain.audit import Actor
from platforms.access.renewal import Lifetimes
from platforms.base import Identity, Platform
from store.accounts.connected import find_account, save_account
from store.audit.account_events import add_account_event
from store.models import Account
from store.secrets.vault import Vault


async def save_verified(
    session: AsyncSession,
    vault: Vault,
    workspace_id: str,
    platform: Platform[Any, Any],
    identity: Identity,
    credentials: Any,
    lifetimes: Lifetimes | None,
    actor: Actor,
    grant_subject: str | None = None,
    by: Mapping[str, Any] | None = None,
) -> tuple[Account, bool]:
    """Connect an account, or reconnect it; return its row and whether it is a new one.

    `lifetimes` are what the platform has reported of the tokens; `grant_subject` names the consent if several accounts
    share it. `by` are facts about the way, for the audit trail, without secrets.
    """
    account_id = platform.account_id(identity.user_id)
    known = await find_account(session, workspace_id, account_id) is not None
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
        action=AccountAction.RECONNECTED if known else AccountAction.CONNECTED,
        actor=actor,
        details={"username": identity.username, **(by or {})},
    )
    return account, not known
