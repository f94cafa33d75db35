"""Renew accounts' credentials without holding a connection to the database, and never lose the new ones.

A network that rotates refresh tokens accepts each of them once. So an account is renewed by one request at a time, over
all workers, and the new tokens are saved as carefully as the answer to a publish request: if they are lost, the account
is disconnected.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import structlog

from activities.persist import persist
from platforms.errors import Kind, NetworkError
from platforms.registry import networks
from store.accounts import open_credentials, open_sealed, seal_credentials
from store.database import Database
from store.failures import database_away
from store.models import Account
from store.renewals import Lease, credentials_of, give_back_lease, keep_renewed, lease_renewal
from store.vault import KEY_ID, Vault

log = structlog.get_logger(__name__)

Renew = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Ask the network for new credentials in place of these."""

_PATIENCE_S = 20.0
"""How long a step waits for a renewal; then Temporal runs it again later."""
_CALL_S = 45.0
"""How long the network may take. Well below the lease, or a second process would use the same refresh token."""
_LAST_WORD_S = 10.0
"""How long a process whose lease has run out is given to write down an answer: it tries every 5 seconds at least."""
_LOOK_S = 0.5
"""Between two looks whether another process has renewed."""
_WRITES = 200
"""Tries to write new credentials down; they take a quarter of an hour."""


class Renewals:
    """The renewals that one worker runs. A step that is cancelled does not cancel them."""

    def __init__(self, database: Database, vault: Vault) -> None:
        self._database = database
        self._vault = vault
        self._running: dict[tuple[str, str], asyncio.Task[bytes | None]] = {}

    async def renewed(self, account: Account, renew: Renew) -> bytes | None:
        """Return sealed credentials newer than the account's, None if the account is no longer connected.

        They may be the result of another step or process. Raises NetworkError: as the network refuses, or `transient`
        if it takes long.
        """
        used, key = account.credentials, (account.workspace_id, account.id)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                while True:
                    running = self._running.get(key) or self._begin(key, account, used, renew)
                    newest = await asyncio.shield(running)
                    if newest is not None and self._only_resealed(key, newest, used):
                        used = newest
                    # A renewal that began before the account was reconnected has replaced nothing.
                    elif newest != used:
                        return newest
        except TimeoutError as error:
            label = networks()[account.platform].label
            message = f"{label} has not renewed this account's access yet."
            raise NetworkError(Kind.TRANSIENT, message, code="renewing") from error

    def _only_resealed(self, key: tuple[str, str], newest: bytes, used: bytes) -> bool:
        """Tell whether these are the credentials of `used`, sealed under another vault key meanwhile."""
        if newest[:KEY_ID] == used[:KEY_ID]:
            return False
        return open_sealed(self._vault, *key, newest) == open_sealed(self._vault, *key, used)

    async def close(self, within_s: float) -> None:
        """Wait for what is running, so that answers still to come are written down; give the rest up."""
        if self._running:
            _, left = await asyncio.wait(self._running.values(), timeout=within_s)
            for task in left:
                task.cancel()
            await asyncio.gather(*left, return_exceptions=True)

    def _begin(self, key: tuple[str, str], account: Account, used: bytes, renew: Renew) -> asyncio.Task[bytes | None]:
        stored, label = open_credentials(self._vault, account), networks()[account.platform].label
        task = self._running[key] = asyncio.create_task(self._run(key, label, used, lambda: renew(stored)))
        task.add_done_callback(lambda done: self._ended(key, done))
        return task

    def _ended(self, key: tuple[str, str], task: asyncio.Task[bytes | None]) -> None:
        del self._running[key]
        if not task.cancelled() and (error := task.exception()):
            code = error.code if isinstance(error, NetworkError) else type(error).__name__
            log.warning("credentials.not_renewed", account_id=key[1], code=code)

    async def _run(
        self, key: tuple[str, str], label: str, used: bytes, ask: Callable[[], Awaitable[dict[str, Any]]]
    ) -> bytes | None:
        lease = await self._lease(key, used)
        if lease is None or not lease.granted:
            return lease.credentials if lease else None
        try:
            async with asyncio.timeout(_CALL_S):
                renewed = await ask()
        except TimeoutError as error:
            await self._give_back(key, used)
            raise NetworkError(Kind.TRANSIENT, f"{label} did not answer.", code="timed_out") from error
        except BaseException:
            await self._give_back(key, used)
            raise
        sealed = seal_credentials(self._vault, *key, renewed)

        async def write() -> bytes | None:
            async with self._database.answers.transaction() as session:
                return await keep_renewed(session, *key, used, sealed)

        try:
            newest = await persist(write, tries=_WRITES)
        except Exception:
            # From now on the network may accept nothing that we have.
            log.exception("credentials.lost", account_id=key[1])
            raise
        log.info("credentials.renewed", account_id=key[1])
        return newest

    async def _lease(self, key: tuple[str, str], used: bytes) -> Lease | None:
        """Return the lease once it is granted or no longer needed, None if the account is gone."""
        while True:
            async with self._database.transaction() as session:
                lease = await lease_renewal(session, *key, used)
            if lease is None or lease.credentials != used:
                return lease
            if lease.granted:
                break
            await asyncio.sleep(_LOOK_S)
        if not lease.ran_out:
            return lease
        log.warning("credentials.lease_ran_out", account_id=key[1])
        await asyncio.sleep(_LAST_WORD_S)
        async with self._database.transaction() as session:
            newest = await credentials_of(session, *key)
        if newest == used:
            return lease
        return None if newest is None else Lease(newest, granted=False)

    async def _give_back(self, key: tuple[str, str], used: bytes) -> None:
        try:
            async with self._database.answers.transaction() as session:
                await give_back_lease(session, *key, used)
        except Exception as error:
            # It runs out by itself; what the network answered matters more.
            if not database_away(error):
                raise
