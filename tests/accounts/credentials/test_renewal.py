"""Renewal of credentials: one at a time for each account, without a database connection; no response is lost."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import text
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from accounts.credentials import renewal
from accounts.credentials.renewal import Renewals
from activities.commands import TargetCommand
from domain.post import TargetStatus
from platforms.errors import ErrorKind, PlatformError
from platforms.twitter.access import TOKENS
from runtime.parts import WorkerParts, open_parts
from store.accounts.connected import open_sealed, remove_account, seal_credentials
from store.accounts.renewals import keep_renewed, lease_renewal
from store.accounts.revocations import START, reseal_batch
from store.database import Database
from store.models import Account, Post
from store.secrets.vault import Vault, new_key
from tests.accounts.credentials.renewing import REPORTED, Platform, Process, account_key, row, token
from tests.stack import Stack

SLOW_S = 8.0


@pytest.fixture
async def parts(stack: Stack) -> AsyncIterator[WorkerParts]:
    """Return a parts with a pool of two connections."""
    database = Database(stack.database_url, pool_size=2, max_overflow=0)
    async with open_parts(stack.settings, database) as parts:
        yield parts
    await database.close()


async def publish(parts: WorkerParts, post: Post) -> Any:
    (target,) = post.targets
    command = TargetCommand(post_id=post.id, version=post.version, target_id=target.id, platform=target.platform)
    with contextlib.suppress(ApplicationError):
        # A public request is not repeated in the step that has renewed its token.
        return await ActivityEnvironment().run(parts.publishing().publish, command)
    return await ActivityEnvironment().run(parts.publishing().publish, command)


async def expire(stack: Stack, account: Account, *, answer_after: float, posts: int = 1) -> None:
    """Make the platform reject the account's token as expired, and answer its renewal late."""
    await stack.fault("twitter", "token_expired", "publish", accountId=account.id, times=posts)
    await stack.fault("twitter", "accept_then_delay", "auth", seconds=answer_after)


async def renewals(stack: Stack) -> int:
    requests = (await stack.control("GET", "requests?platform=twitter&operation=auth"))["requests"]
    return len(requests)


@pytest.mark.thorough
async def test_slow_renewal_delays_no_other_account(stack: Stack, parts: WorkerParts) -> None:
    account = await stack.connect("twitter", refreshToken="slow to renew", clientId="app")
    before = await renewals(stack)
    posts = [await stack.save(f"renewed slowly {number}", [account]) for number in range(5)]
    await expire(stack, account, answer_after=SLOW_S, posts=len(posts))
    slow = [asyncio.create_task(publish(parts, post)) for post in posts]
    await asyncio.sleep(1)
    other = await stack.connect("telegram")
    outcome = await publish(parts, await stack.save("not held up", [other]))
    assert outcome.status is TargetStatus.PUBLISHED
    assert not any(task.done() for task in slow), "it was not waited for"
    assert {ended.status for ended in await asyncio.gather(*slow)} == {TargetStatus.PUBLISHED}
    assert await renewals(stack) == before + 1


async def test_many_steps_of_many_processes_renew_once(
    stack: Stack, account: Account, platform: Platform, process: Process
) -> None:
    platform.may_answer.clear()
    processes = [process() for _ in range(3)]
    # Each step has read the account's row for itself.
    steps = [
        asyncio.create_task(worker_process.renewed(await row(stack, account), platform.renew, TOKENS))
        for worker_process in processes
        for _ in "123"
    ]
    await platform.is_asked.wait()
    platform.may_answer.set()
    assert len({*await asyncio.gather(*steps)}) == 1
    assert platform.asked == 1
    assert await token(stack, account) == "renewed 1"
    assert (await row(stack, account)).renewing_until is None


async def test_waiting_for_another_process_is_bounded(
    stack: Stack, account: Account, platform: Platform, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal, "_TIMEOUT_S", 0.3)
    async with stack.database.transaction() as session:
        assert await lease_renewal(session, account_key(account), account.credentials)
    with pytest.raises(PlatformError) as raised:
        await process().renewed(account, platform.renew, TOKENS)
    assert (raised.value.kind, raised.value.code) == (ErrorKind.TRANSIENT, "renewing")
    assert platform.asked == 0


@pytest.mark.parametrize("has_written", [False, True])
async def test_lease_of_a_dead_process_expires(
    stack: Stack,
    account: Account,
    platform: Platform,
    process: Process,
    monkeypatch: pytest.MonkeyPatch,
    *,
    has_written: bool,
) -> None:
    """If the holder is alive after all, its response is waited for."""
    monkeypatch.setattr(renewal, "_SAVE_WITHIN_S", 0.3)
    async with stack.database.transaction() as session:
        lease = await lease_renewal(session, account_key(account), account.credentials)
        assert lease
        assert lease.granted
    used = account.credentials
    async with stack.database.transaction() as session:
        await session.execute(text("UPDATE accounts SET renewing_until = now() WHERE id = :id"), {"id": account.id})
    renewing = asyncio.create_task(process().renewed(account, platform.renew, TOKENS))
    await asyncio.sleep(0.1)
    assert platform.asked == 0
    if has_written:
        vault = Vault(stack.settings.encryption_keys)
        sealed = seal_credentials(vault, account.workspace_id, account.id, {"access_token": "written late"})
        async with stack.database.transaction() as session:
            newest = await keep_renewed(session, account_key(account), used, sealed, REPORTED, None)
            assert newest
            assert newest.credentials == sealed
    assert await renewing == (await row(stack, account)).credentials
    assert await token(stack, account) == ("written late" if has_written else "renewed 1")


async def test_refused_renewal_releases_the_lease(
    stack: Stack, account: Account, platform: Platform, process: Process
) -> None:
    platform.refusal = PlatformError(ErrorKind.AUTH, "No.", code="invalid_grant")
    for _ in range(2):
        with pytest.raises(PlatformError) as raised:
            await process().renewed(account, platform.renew, TOKENS)
        assert raised.value.code == "invalid_grant"
    assert platform.asked == 2
    assert (await row(stack, account)).credentials == account.credentials


async def test_renewal_without_a_response_times_out(
    stack: Stack, account: Account, platform: Platform, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal, "CALL_S", 1)
    platform.may_answer.clear()
    with pytest.raises(PlatformError) as raised:
        await process().renewed(account, platform.renew, TOKENS)
    assert (raised.value.kind, raised.value.code) == (ErrorKind.TRANSIENT, "timed_out")
    assert (await row(stack, account)).renewing_until is None


async def test_cancelled_step_loses_no_renewed_tokens(
    stack: Stack, account: Account, platform: Platform, process: Process
) -> None:
    """A worker that stops cancels its steps; by then the platform may accept only the new token."""
    platform.may_answer.clear()
    renewals = process()
    step = asyncio.create_task(renewals.renewed(account, platform.renew, TOKENS))
    await platform.is_asked.wait()
    step.cancel()
    await asyncio.wait({step})
    platform.may_answer.set()
    await renewals.close(10)
    assert await token(stack, account) == "renewed 1"


async def test_renewed_tokens_are_saved_while_the_pool_is_exhausted(
    stack: Stack, account: Account, platform: Platform, process: Process
) -> None:
    platform.may_answer.clear()
    database = Database(stack.database_url, pool_size=1, max_overflow=0)
    renewing = asyncio.create_task(process(database).renewed(account, platform.renew, TOKENS))
    await platform.is_asked.wait()
    async with database.transaction() as session:
        await session.execute(text("SELECT 1"))
        platform.may_answer.set()
        async with asyncio.timeout(60):
            assert await renewing
        assert await token(stack, account) == "renewed 1"


async def test_renewal_does_not_overwrite_a_reconnection(
    stack: Stack, account: Account, platform: Platform, process: Process
) -> None:
    platform.may_answer.clear()
    renewals = process()
    renewing = asyncio.create_task(renewals.renewed(account, platform.renew, TOKENS))
    await platform.is_asked.wait()
    await stack.reconnect(await row(stack, account))
    reconnected = await row(stack, account)
    late = asyncio.create_task(renewals.renewed(await row(stack, account), platform.renew, TOKENS))
    platform.may_answer.set()
    assert await renewing == reconnected.credentials
    await late
    assert platform.asked == 2, "the tokens of the old renewal are not used for the new connection"
    assert (await row(stack, account)).credentials != reconnected.credentials


async def test_account_removed_during_renewal_is_reported(
    stack: Stack, account: Account, platform: Platform, process: Process
) -> None:
    platform.may_answer.clear()
    renewing = asyncio.create_task(process().renewed(account, platform.renew, TOKENS))
    await platform.is_asked.wait()
    async with stack.database.transaction() as session:
        assert await remove_account(session, account.workspace_id, account.id)
    platform.may_answer.set()
    assert await renewing is None


async def test_credentials_resealed_during_renewal_are_renewed(
    stack: Stack, account: Account, platform: Platform
) -> None:
    newest = SecretStr(new_key())
    vault = Vault([newest, *stack.settings.encryption_keys])
    before = await row(stack, account)
    async with stack.database.transaction() as session:
        assert (await reseal_batch(session, vault, START, 10_000)).resealed >= 1
    try:
        renewals = Renewals(stack.database, vault)
        sealed = await renewals.renewed(before, platform.renew, TOKENS)
        await renewals.close(0)
        assert sealed is not None
        assert open_sealed(vault, account.workspace_id, account.id, sealed)["access_token"] == "renewed 1"
        assert platform.asked == 1
    finally:
        back = Vault([*stack.settings.encryption_keys, newest])
        async with stack.database.transaction() as session:
            await reseal_batch(session, back, START, 10_000)


async def test_stopping_worker_cancels_slow_renewals(
    stack: Stack, account: Account, platform: Platform, process: Process
) -> None:
    platform.may_answer.clear()
    renewals = process()
    step = asyncio.create_task(renewals.renewed(account, platform.renew, TOKENS))
    await platform.is_asked.wait()
    await renewals.close(0.1)
    with pytest.raises(asyncio.CancelledError):
        await step
    assert (await row(stack, account)).renewing_until is None


async def test_lost_database_connection_does_not_end_renewals(
    stack: Stack, account: Account, platform: Platform, process: Process
) -> None:
    """PostgreSQL restarts during a renewal, and between two renewals."""
    renewals = process()

    async def end_lock() -> None:
        query = "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND pid <> pg_backend_pid()"
        async with stack.database.transaction() as session:
            assert list(await session.scalars(text(query)))

    platform.may_answer.clear()
    renewing = asyncio.create_task(renewals.renewed(account, platform.renew, TOKENS))
    await platform.is_asked.wait()
    await end_lock()
    platform.may_answer.set()
    assert await renewing
    assert await token(stack, account) == "renewed 1"
    assert await renewals.renewed(await row(stack, account), platform.renew, TOKENS)
    assert await token(stack, account) == "renewed 2"
