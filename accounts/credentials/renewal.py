"""Renewal of accounts' credentials without holding a session of the database, and without losing the new ones.

A platform that rotates refresh tokens accepts each of them once. So an account is renewed by one request at a time,
over all workers, and the new tokens are saved as carefully as the response to a publish request: if they are lost, the
account is disconnected.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from weakref import WeakValueDictionary

import structlog
from sqlalchemy.exc import SQLAlchemyError

from accounts.credentials.renewal_outcomes import (
    RecordRenewal,
    RenewalOutcome,
    as_refusal,
    failure_after,
    may_have_renewed,
)
from domain.loop_share import Stopwatch, within
from platforms.access.renewal import TokenRules
from platforms.errors import ErrorKind, PlatformError
from platforms.registry import platforms
from store.accounts.connected import Key, open_credentials, open_sealed, seal_credentials
from store.accounts.renewals import (
    ChangedCredentials,
    Lease,
    RenewalLocks,
    keep_renewed,
    keep_renewed_siblings,
    lease_renewal,
    note_failure,
    note_refused_access,
    release_lease,
)
from store.database import Database
from store.failures import is_database_unavailable, persist
from store.models import Account
from store.rows import find_row
from store.secrets.vault import KEY_ID, Vault

log = structlog.get_logger(__name__)


Guard = Callable[[], Awaitable[None]]
"""Awaited before the first byte of each request for tokens; raises PlatformError if it is too late to send it."""
CredentialsChange = Callable[[dict[str, Any], Guard], Awaitable[ChangedCredentials]]
"""Returns new credentials for these, usually by a request to the platform."""

CALL_S = 25
"""How long the platform may take, in seconds in which this process ran: a freeze counts as one second."""
SEND_WITHIN = timedelta(seconds=30)
"""The limit from the request for the lease to the first byte. Together with CALL_S it is far below the lease."""
_TIMEOUT_S = 20.0
"""How long a step waits for a renewal; after that Temporal runs it again later."""
_SAVE_WITHIN_S = 10.0
"""The time for a process whose lease has expired to save a response: it tries every 5 seconds at least."""
_POLL_S = 0.5
"""The pause between two checks whether another process has renewed."""
_WRITES = 200
"""The number of tries to save new credentials; they take a quarter of an hour."""
_CONCURRENCY = 10
"""The number of renewals that one process requests from one server at the same time."""


@dataclass(frozen=True, slots=True)
class _Renewal:
    """One renewal: its account, the old sealed credentials, the function that renews them, and their rules."""

    key: Key
    platform: str
    server: str
    used: bytes
    stored: dict[str, Any] = field(repr=False)
    change: CredentialsChange
    rules: TokenRules | None
    force: bool
    grant: str | None = None
    """The consent that gave the tokens, if other accounts may have the same tokens."""

    @property
    def lock(self) -> Key:
        """Return the name of the lock: accounts of one consent are renewed one after the other."""
        return (self.key[0], self.grant) if self.grant and self.rules is not None else self.key

    @property
    def label(self) -> str:
        return platforms()[self.platform].label


class Renewals:
    """The renewals that one worker runs. A step that is cancelled does not cancel them."""

    def __init__(
        self, database: Database, vault: Vault, *, record: RecordRenewal = lambda *_: None, on: bool = True
    ) -> None:
        self._database = database
        self._locks = RenewalLocks(database.locks)
        self._vault = vault
        self._record = record
        self._on = on
        self._stopping = False
        self._running: dict[Key, asyncio.Task[Account | None]] = {}
        self._room: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()

    async def renewed(
        self,
        account: Account,
        change: CredentialsChange,
        rules: TokenRules | None = None,
        *,
        server: str = "",
        force: bool = False,
    ) -> bytes | None:
        """Return sealed credentials newer than the account's, None if the account is no longer connected.

        They may be the result of another step or process; `account` then has its row's facts about tokens. `force`
        renews even shortly after a failure. Raises PlatformError: as the platform refuses, or `transient` if it takes
        long.
        """
        key = account.workspace_id, account.id
        stored = open_credentials(self._vault, account)
        grant = account.grant_subject
        renewal = _Renewal(key, account.platform, server, account.credentials, stored, change, rules, force, grant)
        try:
            async with asyncio.timeout(_TIMEOUT_S):
                newest = await self._newest(renewal)
        except TimeoutError as error:
            raise _still_renewing(renewal) from error
        if newest is None:
            return None
        for name in ("expires_at", "refresh_expires_at", "scopes", "renew_at", "renewed_at", *_STATE):
            setattr(account, name, getattr(newest, name))
        return newest.credentials

    async def _newest(self, renewal: _Renewal) -> Account | None:
        used = renewal.used
        while True:
            running = self._running.get(renewal.key) or self._begin(renewal)
            newest = await asyncio.shield(running)
            if newest is not None and self._only_resealed(renewal.key, newest.credentials, used):
                used = newest.credentials
                renewal = replace(renewal, used=used)
            # A renewal that began before the account was reconnected has replaced nothing.
            elif newest is None or newest.credentials != used:
                return newest

    def _only_resealed(self, key: Key, newest: bytes, used: bytes) -> bool:
        """Return whether these are the credentials of `used`, sealed under another vault key meanwhile."""
        if newest[:KEY_ID] == used[:KEY_ID]:
            return False
        return open_sealed(self._vault, *key, newest) == open_sealed(self._vault, *key, used)

    async def note_refused_access(self, account: Account, used: bytes) -> None:
        """Save that the platform refused the access token, which could not be renewed. Skipped without a database."""

        async def write() -> None:
            async with self._database.answers.transaction() as session:
                await note_refused_access(session, (account.workspace_id, account.id), used)

        if account.access_refused_at is None:
            await self._skip_if_unavailable(write())

    def stop(self) -> None:
        """Begin no further renewals: running ones get all the time that is left to this process."""
        self._stopping = True

    @property
    def are_running(self) -> bool:
        """Return whether a response may still come that must be saved."""
        return bool(self._running)

    async def close(self, within_s: float) -> None:
        """Wait for running renewals, so that their responses are saved; cancel the rest."""
        if self._running:
            _, late = await asyncio.wait(self._running.values(), timeout=within_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)
        await self._locks.close()

    def _begin(self, renewal: _Renewal) -> asyncio.Task[Account | None]:
        if self._stopping:
            raise PlatformError(ErrorKind.TRANSIENT, "The worker is stopping.", code="worker_stops")
        if not self._on and renewal.rules is not None:
            message = "This service is set to renew no tokens (SOCIALSYNCER_RENEWALS)."
            raise PlatformError(ErrorKind.OPERATOR, message, code="renewals_off")
        task = self._running[renewal.key] = asyncio.create_task(self._run(renewal))
        task.add_done_callback(lambda done: self._ended(renewal, done))
        return task

    def _ended(self, renewal: _Renewal, task: asyncio.Task[Account | None]) -> None:
        del self._running[renewal.key]
        if not task.cancelled() and (error := task.exception()):
            code = error.code if isinstance(error, PlatformError) else type(error).__name__
            log.warning("credentials.not_renewed", account_id=renewal.key[1], platform=renewal.platform, code=code)

    async def _run(self, renewal: _Renewal) -> Account | None:
        asked = Stopwatch()
        lease = await self._lease(renewal, asked)
        if lease is None or not lease.granted:
            return lease.account if lease else None
        try:
            return await self._renew_under(lease, renewal, asked)
        finally:
            await self._skip_if_unavailable(self._locks.release(renewal.lock))

    async def _renew_under(self, lease: Lease, renewal: _Renewal, asked: Stopwatch) -> Account | None:
        try:
            _demand_pause_is_over(lease, renewal)
            async with self._room.setdefault(renewal.server or renewal.platform, asyncio.Semaphore(_CONCURRENCY)):
                changed = await within(CALL_S, renewal.change(renewal.stored, lambda: _demand_in_time(asked)))
        except PlatformError as error:
            return await self._failed(lease, renewal, error)
        except TimeoutError:
            return await self._failed(
                lease, renewal, PlatformError(ErrorKind.TRANSIENT, f"{renewal.label} did not answer.", code="timed_out")
            )
        except BaseException:
            # Cancelled after the request may have been sent.
            unsure_since = _unsure_since(lease, renewal, asked_platform=True)
            await self._skip_if_unavailable(self._release_lease(renewal, unsure_since))
            raise
        sealed = seal_credentials(self._vault, *renewal.key, changed.credentials)

        async def write() -> Account | None:
            async with self._database.answers.transaction() as session:
                return await keep_renewed(
                    session,
                    renewal.key,
                    renewal.used,
                    sealed,
                    changed.tokens,
                    _unsure_since(lease, renewal, asked_platform=False),
                )

        try:
            newest = await persist(write, tries=_WRITES)
        except Exception:
            # From now on the platform may accept no token that we have.
            log.exception("credentials.lost", account_id=renewal.key[1], platform=renewal.platform)
            raise
        if changed.tokens is not None:
            self._record(renewal.platform, RenewalOutcome.RENEWED)
            log.info("credentials.renewed", account_id=renewal.key[1], platform=renewal.platform)
            if renewal.grant is not None and newest is not None and newest.credentials == sealed:
                await self._share(renewal, changed)
        return newest

    async def _share(self, renewal: _Renewal, changed: ChangedCredentials) -> None:
        """Save the new tokens for the accounts that had the same ones. If that fails, they are renewed separately."""

        async def write() -> list[str]:
            async with self._database.answers.transaction() as session:
                return await keep_renewed_siblings(session, self._vault, renewal.key, renewal.stored, changed)

        try:
            sharing = await persist(write)
        except (SQLAlchemyError, OSError) as error:
            log.warning("credentials.not_shared", platform=renewal.platform, reason=type(error).__name__)
        else:
            log.info("credentials.shared", platform=renewal.platform, accounts=sharing)

    async def _failed(self, lease: Lease, renewal: _Renewal, error: PlatformError) -> Account | None:
        """Save a failure. Raises it, unless the account has other credentials by now."""
        if renewal.rules is None or error.code in _NOT_ASKED:
            await self._skip_if_unavailable(self._release_lease(renewal, lease.unsure_since))
            raise error
        if error.kind is ErrorKind.AUTH or (renewal.rules.renews_itself and error.status is not None):
            error = as_refusal(error, lease, renewal.rules, renewal.label)
        if error.kind is ErrorKind.AUTH:
            async with self._database.answers.transaction() as session:
                newest = await find_row(session, Account, *renewal.key)
            if newest is None or newest.credentials != renewal.used:
                return newest
        failure = failure_after(error, lease.account.renewal_failures + 1)
        unsure_since = _unsure_since(lease, renewal, asked_platform=may_have_renewed(error))

        async def write() -> None:
            async with self._database.answers.transaction() as session:
                await note_failure(
                    session,
                    renewal.key,
                    renewal.used,
                    code=error.code,
                    renew_at=failure.again_at,
                    unsure_since=unsure_since,
                )

        await self._skip_if_unavailable(write())
        self._record(renewal.platform, failure.outcome)
        raise error

    async def _lease(self, renewal: _Renewal, asked: Stopwatch) -> Lease | None:
        """Return the lease once it is granted or not needed, None if the account is gone. Raises PlatformError."""
        until = time.monotonic() + _TIMEOUT_S
        while True:
            if await self._locks.take(renewal.lock):
                lease = None
                try:
                    asked.restart()
                    async with self._database.transaction() as session:
                        lease = await lease_renewal(session, renewal.key, renewal.used)
                finally:
                    if lease is None or not lease.granted:
                        await self._skip_if_unavailable(self._locks.release(renewal.lock))
            else:
                async with self._database.reading() as session:
                    account = await find_row(session, Account, *renewal.key)
                lease = Lease(account, granted=False) if account else None
            if lease is None or lease.granted or lease.account.credentials != renewal.used:
                break
            if time.monotonic() > until:
                raise _still_renewing(renewal)
            await asyncio.sleep(_POLL_S)
        if lease is None or not lease.ran_out:
            return lease
        return await self._taken_over(lease, renewal, asked)

    async def _taken_over(self, lease: Lease, renewal: _Renewal, asked: Stopwatch) -> Lease | None:
        """Wait until a process whose lease has expired could save a response that it may have received."""
        log.warning("credentials.lease_ran_out", account_id=renewal.key[1], platform=renewal.platform)
        newest = None
        try:
            await asyncio.sleep(_SAVE_WITHIN_S)
            async with self._database.transaction() as session:
                newest = await find_row(session, Account, *renewal.key)
        finally:
            if newest is None or newest.credentials != renewal.used:
                await self._skip_if_unavailable(self._locks.release(renewal.lock))
        if newest is None:
            return None
        if newest.credentials != renewal.used:
            return Lease(newest, granted=False)
        return lease

    async def _release_lease(self, renewal: _Renewal, unsure_since: datetime | None) -> None:
        async with self._database.answers.transaction() as session:
            await release_lease(session, renewal.key, renewal.used, unsure_since)

    async def _skip_if_unavailable(self, write: Coroutine[Any, Any, None]) -> None:
        """Run a write, or skip it if the database is unavailable: leases expire, and locks end with their sessions."""
        try:
            await write
        except Exception as error:
            if not is_database_unavailable(error):
                raise


_STATE = ("renewal_started_at", "renewal_failures", "renewal_error", "access_refused_at")
_NOT_ASKED = frozenset({"held_up", "pause"})
"""Codes of renewals that ended before the platform was asked."""


def _still_renewing(renewal: _Renewal) -> PlatformError:
    message = f"{renewal.label} has not renewed this account's access yet."
    return PlatformError(ErrorKind.TRANSIENT, message, code="renewing")


def _unsure_since(lease: Lease, renewal: _Renewal, *, asked_platform: bool) -> datetime | None:
    """Return since when the platform may have made tokens that were lost; None if a refresh token can be sent again."""
    if renewal.rules is not None and not renewal.rules.rotates:
        return None
    return lease.account.renewal_started_at if asked_platform and renewal.rules is not None else lease.unsure_since


def _demand_pause_is_over(lease: Lease, renewal: _Renewal) -> None:
    account, now = lease.account, datetime.now(UTC)
    if renewal.rules is None or renewal.force or not account.renewal_failures or account.renew_at is None:
        return
    if account.renew_at > now:
        message = f"{renewal.label} could not renew the account's access; it will be asked again later."
        raise PlatformError(ErrorKind.TRANSIENT, message, code="pause", retry_after=account.renew_at - now)


async def _demand_in_time(asked: Stopwatch) -> None:
    """Raise PlatformError if this process was stopped for so long that another may be renewing by now."""
    if asked.passed > SEND_WITHIN:
        raise PlatformError(ErrorKind.TRANSIENT, "The renewal was held up.", code="held_up")
