"""Ending of authorizations that no account needs any more, again and again until their platforms have done so."""

import asyncio
from datetime import UTC, datetime
from weakref import WeakValueDictionary

import structlog

from accounts.connecting.context import ConnectContext
from accounts.connecting.grants import note_sealed_grant, revoke_obtained
from accounts.connecting.refusals import ConnectRefused
from accounts.credentials.connections import AccountConnections
from accounts.revoking import try_revocation
from reconcile.rounds import BackgroundTask
from store.accounts.pending_connections import claim_abandoned
from store.accounts.revocations import claim_due_revocations
from store.database import Database
from store.failures import is_database_unavailable
from store.models import PendingRevocation
from store.secrets.vault import VaultError

log = structlog.get_logger(__name__)

_EVERY_S = 2.0
_BATCH, _OF_WORKSPACE = 50, 5
"""The number of revocations that begin in one round, and of them those of one workspace."""
_CONCURRENCY = 2
"""The number of a workspace's revocations at the same time: its accounts may name servers that do not answer."""


def revocation_task(database: Database, accounts: AccountConnections) -> BackgroundTask:
    """Return the task that begins what is due every few seconds."""
    revocations = Revocations(database, accounts)
    return BackgroundTask(
        revocations.begin_due, _EVERY_S, "revocations.postponed", close=revocations.close, looks_for="revocations"
    )


class Revocations:
    """The running revocations of one worker. A slow server delays only the workspace that named it."""

    def __init__(self, database: Database, accounts: AccountConnections) -> None:
        self._database = database
        self._accounts = accounts
        self._running: dict[str, asyncio.Task[None]] = {}
        self._room: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def begin_due(self) -> None:
        """Begin the revocations that are due, also of pending connections that were never completed."""
        async with self._database.transaction() as session:
            for row in await claim_abandoned(session, datetime.now(UTC), _BATCH):
                context = ConnectContext(self._database, self._accounts, row)
                _note_sealed(context)
                await revoke_obtained(session, context)
        async with self._database.transaction() as session:
            due = await claim_due_revocations(session, _BATCH, _OF_WORKSPACE)
        for revocation in due:
            if revocation.id not in self._running:
                self._running[revocation.id] = asyncio.create_task(self._try(revocation))

    async def finished(self) -> None:
        """Wait until no revocation is running."""
        await asyncio.gather(*self._running.values(), return_exceptions=True)

    async def close(self) -> None:
        """Cancel all; they are tried again later."""
        for task in self._running.values():
            task.cancel()
        await self.finished()

    async def _try(self, revocation: PendingRevocation) -> None:
        room = self._room.setdefault(revocation.workspace_id, asyncio.Semaphore(_CONCURRENCY))
        try:
            async with room:
                await try_revocation(self._database, self._accounts, revocation)
        except Exception as error:
            if is_database_unavailable(error):
                log.warning("revocations.postponed", reason=type(error).__name__)
            else:
                log.exception("authorization.not_tried", platform=revocation.platform, revocation_id=revocation.id)
        finally:
            del self._running[revocation.id]


def _note_sealed(context: ConnectContext) -> None:
    """Note what a pending connection obtained; nothing if it cannot be read, or its app is gone."""
    try:
        note_sealed_grant(context, context.open_secrets())
    except (VaultError, ConnectRefused, ValueError) as error:
        log.warning("connect.unreadable", connection_id=context.row.id, reason=type(error).__name__)
