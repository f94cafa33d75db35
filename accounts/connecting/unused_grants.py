"""Authorizations that a connection obtained without connecting an account: they are ended at the platform."""

import contextlib
from collections.abc import Iterable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from accounts.connecting.apps import app_of, connector_at
from accounts.connecting.context import ConnectContext, Obtained
from accounts.credentials.plain import plain
from accounts.revoking import revoking_of
from domain.account_events import RevocationCause
from platforms.access.consent import OAuthConnector
from platforms.access.grants import Grant
from platforms.access.registered_apps import App
from platforms.errors import PlatformError
from store.accounts.connecting import update_connection
from store.accounts.revocations import Authorization


def note_obtained(step: ConnectContext, connector: OAuthConnector[Any], app: App, grant: Grant) -> Obtained:
    """Note what an authorization gave, in case that no account is connected by it."""
    obtained = Obtained(None)
    with contextlib.suppress(PlatformError):
        obtained.credentials = connector.granted_credentials(app, grant, step.row.options)
        step.obtained.append(obtained)
    return obtained


def note_sealed(step: ConnectContext, kept: dict[str, Any]) -> None:
    """Note what an authorization gave in an earlier step, which has sealed it into the row."""
    if "grant" in kept:
        connector = connector_at(step, kept["found"])
        obtained = note_obtained(step, connector, app_of(step, kept), Grant.load(kept["grant"]))
        obtained.user_ids += _users_of(kept.get("candidates", {}))


async def revoke_obtained(session: AsyncSession, step: ConnectContext, **values: Any) -> None:
    """Save the end of a connection without an account, and let what it obtained be ended at the platform."""
    await update_connection(session, step.row.id, sealed=None, handover=None, **values)
    revoking = revoking_of(step.accounts)
    if revoking is None:
        return
    for obtained in step.obtained:
        # The line belongs to the account that was to be reconnected, else to the one that was not connected.
        users = obtained.user_ids
        named = step.platform.account_id(users[0]) if len(users) == 1 else None
        authorization = Authorization(
            step.row.workspace_id,
            step.row.platform,
            step.row.account_id or named,
            plain(obtained.credentials),
            users,
            step.platform.app_id(obtained.credentials),
        )
        await revoking.later(session, authorization, RevocationCause.REFUSED)


def _users_of(candidates: dict[str, dict[str, Any]]) -> Iterable[str]:
    return [each["identity"]["user_id"] if each["identity"] else name for name, each in candidates.items()]
