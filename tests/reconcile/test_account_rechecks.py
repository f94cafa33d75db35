"""Rechecks of refused accounts: a platform that hangs delays neither other platforms nor posts that may continue."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import update

from domain.post import TargetStatus
from platforms.base import Connection, Identity
from platforms.registry import platforms
from reconcile import account_rechecks
from reconcile.account_rechecks import AccountChecks
from runtime.parts import open_parts
from store.models import Account
from tests.stack import Stack


async def refuse(stack: Stack, account: Account) -> None:
    """Refuse an account, and make its recheck due now."""
    now = datetime.now(UTC)
    refused = {"refused_at": now, "refusal": "No.", "refusal_code": "no", "refusal_count": 1, "recheck_at": now}
    async with stack.database.transaction() as session:
        await session.execute(update(Account).where(Account.id == account.id).values(**refused))


async def is_refused(stack: Stack, account: Account) -> bool:
    async with stack.database.transaction() as session:
        row = await session.get_one(Account, (account.workspace_id, account.id))
        return row.refused_at is not None


@pytest.fixture
def hangs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Make Telegram's requests for an account hang; returns the accounts that were requested."""
    asked: list[str] = []

    async def whoami(connection: Connection[Any]) -> Identity:
        asked.append(connection.account.account_id)
        await asyncio.sleep(3600)
        raise AssertionError("unreachable")

    monkeypatch.setattr(platforms()["telegram"], "whoami", whoami)
    return asked


async def test_a_platform_that_hangs_delays_no_other(stack: Stack, hangs: list[str]) -> None:
    """Neither the rechecks on other platforms, nor the posts of accounts that were accepted."""
    hung = [await stack.connect("telegram") for _ in range(2)]
    works = await stack.connect("twitter")
    post = await stack.save("held beside a platform that hangs", [works])
    for account in (*hung, works):
        await refuse(stack, account)
    await stack.start(post)

    async def status() -> str:
        return (await stack.read(post.id)).targets[0].status

    async with asyncio.timeout(60):
        while len(hangs) < len(hung) or await status() != TargetStatus.PUBLISHED:  # noqa: ASYNC110 rows send no event
            await asyncio.sleep(0.05)
    assert set(hangs) == {account.id for account in hung}
    assert not await is_refused(stack, works)


async def test_checks_of_one_server_are_limited_and_time_out(
    stack: Stack, hangs: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(account_rechecks, "_CONCURRENCY", 2)
    monkeypatch.setattr(account_rechecks, "_ANSWER_S", 0.5)
    async with open_parts(stack.settings, stack.database) as parts:
        checks = AccountChecks(parts.database, parts.accounts)
        hung = [await stack.connect("telegram") for _ in range(3)]
        for account in hung:
            checks.ask(account)
            checks.ask(account)
        await asyncio.sleep(0.2)
        assert len(hangs) == 2
        async with asyncio.timeout(60):
            await checks.answered()
        assert sorted(hangs) == sorted(account.id for account in hung), "each was asked about once"


async def test_an_account_that_cannot_be_decrypted_delays_no_other(stack: Stack) -> None:
    broken, works = await stack.connect("telegram"), await stack.connect("telegram")
    async with stack.database.transaction() as session:
        await session.execute(update(Account).where(Account.id == broken.id).values(credentials=b"\0" * 64))
    for account in (broken, works):
        await refuse(stack, account)
    async with asyncio.timeout(60):
        while await is_refused(stack, works):  # noqa: ASYNC110 rows send no event
            await asyncio.sleep(0.05)
    async with stack.database.transaction() as session:
        # The session's worker sends no more requests.
        await session.delete(await session.get_one(Account, (broken.workspace_id, broken.id)))
