"""Processes that die, freeze or receive a stop signal at each point of a renewal.

The sandbox behaves like X: it accepts a refresh token once, and if the token comes a second time, it ends all tokens of
the grant. This must never happen to a grant that is still in use.
"""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from accounts.credentials import renewal
from platforms.errors import ErrorKind, PlatformError
from reconcile.account_rechecks import renew_due
from runtime.parts import WorkerParts, open_parts
from store.accounts import renewals
from store.accounts.connected import open_credentials
from store.database import Database
from store.models import Account
from store.secrets.vault import Vault
from tests.accounts.credentials.renewing import row
from tests.stack import Stack

ROOT = Path(__file__).parents[3]
thorough = pytest.mark.thorough
AFTER_THE_PLATFORM = ("sent", "answered")
"""Points at which the platform has made new tokens that are not stored: the process knows them, or they are lost."""


@pytest.fixture
async def parts(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[WorkerParts]:
    """Return the parts of another worker, which waits less than in production for a process that may be alive."""
    monkeypatch.setattr(renewal, "_SAVE_WITHIN_S", 0.5)
    database = Database(stack.database_url, pool_size=2, max_overflow=0)
    async with open_parts(stack.settings, database) as parts:
        yield parts
    await database.close()


@pytest.fixture
async def account(stack: Stack, request: pytest.FixtureRequest) -> Account:
    """Connect an account whose access token ends in five minutes."""
    account = await stack.connect("twitter", refreshToken=f"crash {request.node.name}", clientId="app")
    async with stack.database.transaction() as session:
        statement = text("UPDATE accounts SET expires_at = now() + interval '5 minutes' WHERE id = :id")
        await session.execute(statement, {"id": account.id})
        # Otherwise `renew_due` may renew an account of an earlier test, and meet the failure of this one.
        await session.execute(text("UPDATE accounts SET renew_at = NULL WHERE id != :id"), {"id": account.id})
    return await row(stack, account)


@dataclass
class Process:
    """A process that renews and is killed or frozen."""

    process: asyncio.subprocess.Process

    async def is_struck(self) -> None:
        assert self.process.stdout
        async with asyncio.timeout(60):
            assert (await self.process.stdout.readline()).strip() == b"struck"

    async def ends(self) -> str:
        async with asyncio.timeout(60):
            out, _ = await self.process.communicate()
        return out.decode().split("\n")[-2] if out else ""


@asynccontextmanager
async def renewing(stack: Stack, account: Account, point: str, with_signal: signal.Signals) -> AsyncIterator[Process]:
    if point == "sent":
        await stack.fault("twitter", "accept_then_delay", "auth", seconds=2)
    environment = os.environ | {
        "SOCIALSYNCER_DATABASE_URL": stack.database_url.replace("+asyncpg", ""),
        "SOCIALSYNCER_ENCRYPTION_KEYS": ",".join(key.get_secret_value() for key in stack.settings.encryption_keys),
        "SOCIALSYNCER_SANDBOX_URL": stack.sandbox_url,
    }
    command = [
        sys.executable,
        "-m",
        "tests.accounts.credentials.renewing_process",
        account.workspace_id,
        account.id,
        point,
    ]
    process = await asyncio.create_subprocess_exec(
        *command, with_signal.name, cwd=ROOT, env=environment, stdout=asyncio.subprocess.PIPE
    )
    try:
        running = Process(process)
        await running.is_struck()
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def grants(stack: Stack, account: Account) -> list[dict[str, Any]]:
    return list((await stack.control("GET", f"tokens?platform=twitter&accountId={account.id}"))["grants"])


def access_token(stack: Stack, account: Account) -> str:
    return str(open_credentials(Vault(stack.settings.encryption_keys), account)["access_token"])


async def works(stack: Stack, parts: WorkerParts, account: Account) -> None:
    """Check that the account can be used and renewed, and that the platform has received no token twice."""
    current = await row(stack, account)
    assert (await parts.accounts.whoami(current)).user_id == account.user_id
    assert await parts.accounts.renew(await row(stack, account))
    assert (await parts.accounts.whoami(await row(stack, account))).user_id == account.user_id
    assert [(grant["replays"], grant["ended"]) for grant in await grants(stack, account)] == [(0, False)]


@pytest.mark.parametrize(
    "point",
    [*(pytest.param(point, marks=thorough) for point in ("leased", "before the first byte", "sent")), "answered"],
)
@pytest.mark.thorough
async def test_frozen_process_loses_no_tokens(
    stack: Stack, parts: WorkerParts, account: Account, point: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with renewing(stack, account, point, signal.SIGSTOP) as frozen:
        # Its lease expires meanwhile.
        await asyncio.sleep(2)
        used = await row(stack, account)
        with monkeypatch.context() as impatient:
            impatient.setattr(renewal, "_TIMEOUT_S", 1.5)
            with pytest.raises(PlatformError) as raised:
                await parts.accounts.renew(used)
        assert (raised.value.kind, raised.value.code) == (ErrorKind.TRANSIENT, "renewing"), (
            "it waits for the frozen one"
        )
        frozen.process.send_signal(signal.SIGCONT)
        assert await frozen.ends() == "ended: True"
    assert [grant["renewals"] for grant in await grants(stack, account)] == [1]
    await works(stack, parts, account)


@pytest.mark.parametrize(
    "point", [*(pytest.param(point, marks=thorough) for point in ("leased", "before the first byte")), "stored"]
)
@pytest.mark.thorough
async def test_killed_process_loses_tokens_only_between_response_and_row(
    stack: Stack, parts: WorkerParts, account: Account, point: str
) -> None:
    async with renewing(stack, account, point, signal.SIGKILL) as killed:
        await killed.ends()
    await asyncio.sleep(1.2)
    await works(stack, parts, account)


@pytest.mark.parametrize("point", AFTER_THE_PLATFORM)
@pytest.mark.thorough
async def test_tokens_lost_before_saving_are_detected_without_early_cost(
    stack: Stack, parts: WorkerParts, account: Account, point: str
) -> None:
    """The one remaining window: the platform has made tokens, and the process that requested them is dead."""
    async with renewing(stack, account, point, signal.SIGKILL) as killed:
        await killed.ends()
        if point == "sent":
            await asyncio.sleep(2)
    stored = await row(stack, account)
    assert stored.renewal_started_at is not None
    assert access_token(stack, stored) == access_token(stack, account)
    # The access token is valid for five more minutes, and a second use of the refresh token would end it.
    assert (await parts.accounts.whoami(stored)).user_id == account.user_id
    async with stack.database.transaction() as session:
        await session.execute(text("UPDATE accounts SET renew_at = now() WHERE id = :id"), {"id": account.id})
    await renew_due(parts.database, parts.accounts)
    assert [(grant["renewals"], grant["ended"]) for grant in await grants(stack, account)] == [(1, False)]
    # After the access token has expired, a second use of the refresh token costs nothing.
    await stack.control("DELETE", f"tokens?platform=twitter&accountId={account.id}&only=access")
    with pytest.raises(PlatformError) as raised:
        await parts.accounts.whoami(await row(stack, account))
    assert (raised.value.kind, raised.value.code) == (ErrorKind.AUTH, "lost_in_renewal")
    # Later checks of the refused account do not replace the reason by the platform's own word.
    with pytest.raises(PlatformError) as raised:
        await parts.accounts.renew(await row(stack, account))
    assert raised.value.code == "lost_in_renewal"
    stored = await row(stack, account)
    assert (stored.renewal_error, stored.renew_at) == ("lost_in_renewal", None)


@pytest.mark.thorough
async def test_stopping_worker_waits_for_the_renewal(stack: Stack, account: Account) -> None:
    await stack.fault("twitter", "accept_then_delay", "auth", seconds=5)
    database = Database(stack.database_url, pool_size=2, max_overflow=0)
    async with open_parts(stack.settings, database) as parts:
        step = asyncio.create_task(parts.accounts.renew(account))
        async with asyncio.timeout(60):
            while (await row(stack, account)).renewal_started_at is None:  # noqa: ASYNC110 there is no event
                await asyncio.sleep(0.05)
        step.cancel()
        parts.accounts.stop_renewing()
        assert parts.accounts.renewing_for_s() > 0
    await database.close()
    stored = await row(stack, account)
    assert access_token(stack, stored) != access_token(stack, account)
    assert (stored.renewal_started_at, stored.renewing_until) == (None, None)


@pytest.mark.thorough
async def test_renewed_tokens_survive_a_database_outage(
    stack: Stack, parts: WorkerParts, account: Account, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failover: for some seconds the row cannot be written."""
    loop, write = asyncio.get_running_loop(), renewals.keep_renewed
    begun, tries = loop.time(), 0

    async def away(*arguments: Any, **more: Any) -> Any:
        nonlocal tries
        tries += 1
        if loop.time() - begun < 4:
            raise ConnectionRefusedError
        return await write(*arguments, **more)

    monkeypatch.setattr(renewal, "keep_renewed", away)
    monkeypatch.setattr(renewal, "_TIMEOUT_S", 60)
    assert await parts.accounts.renew(account)
    assert tries > 1
    monkeypatch.undo()
    await works(stack, parts, account)


async def test_twenty_steps_of_several_workers_renew_an_ended_token_once(stack: Stack, account: Account) -> None:
    await stack.control("DELETE", f"tokens?platform=twitter&accountId={account.id}&only=access")
    databases = [Database(stack.database_url, pool_size=5, max_overflow=5) for _ in range(4)]
    async with asyncio.TaskGroup() as group:
        for database in databases:
            group.create_task(_five_questions(stack, database, account))
    assert [(grant["renewals"], grant["replays"]) for grant in await grants(stack, account)] == [(1, 0)]


async def _five_questions(stack: Stack, database: Database, account: Account) -> None:
    async with open_parts(stack.settings, database) as parts:
        rows = [await row(stack, account) for _ in range(5)]
        answers = await asyncio.gather(*map(parts.accounts.whoami, rows))
        assert {answer.user_id for answer in answers} == {account.user_id}
    await database.close()
