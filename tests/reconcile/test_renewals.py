"""Tokens are renewed in time even if nothing uses them, and connections that end are reported."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from domain.post import LATE_AFTER
from reconcile.account_rechecks import renew_due
from reconcile.measures import WARNED_AHEAD, measure
from runtime.parts import WorkerParts, open_parts
from store.accounts.connected import open_credentials
from store.accounts.renewals import ends_of_accounts
from store.database import Database
from store.models import Account
from store.secrets.vault import Vault
from tests.accounts.credentials.renewing import row
from tests.stack import Stack

DAY = timedelta(days=1)


@pytest.fixture
async def parts(stack: Stack) -> AsyncIterator[WorkerParts]:
    database = Database(stack.database_url, pool_size=5, max_overflow=5)
    async with open_parts(stack.settings, database) as parts:
        yield parts
    await database.close()


async def due(stack: Stack, account: Account, more: str = "") -> None:
    """Make an account's renewal a month overdue."""
    async with stack.database.transaction() as session:
        statement = f"UPDATE accounts SET renew_at = now() - interval '30 days'{more} WHERE id = :id"
        await session.execute(text(statement), {"id": account.id})


async def renewed(stack: Stack, parts: WorkerParts, account: Account, more: str = "") -> Account:
    """Renew an account that is due, and return its row; the stack's own worker may have renewed it first."""
    before = await row(stack, account)
    await due(stack, account, more)
    await renew_due(parts.database, parts.accounts)
    async with asyncio.timeout(60):
        while True:
            account_row = await row(stack, account)
            seen = (account_row.renewed_at, account_row.renewal_failures) != (
                before.renewed_at,
                before.renewal_failures,
            )
            if seen or account_row.renew_at is None:
                return account_row
            await asyncio.sleep(0.05)


UNCLEAR = ", renewal_started_at = now(), expires_at = now() + interval '1 hour'"


def read_token(stack: Stack, account: Account) -> str:
    return str(open_credentials(Vault(stack.settings.encryption_keys), account)["access_token"])


@pytest.mark.parametrize("platform", ["instagram", "threads"])
async def test_tokens_without_refresh_token_are_renewed(stack: Stack, parts: WorkerParts, platform: str) -> None:
    account = await stack.connect(platform)
    account_row = await renewed(stack, parts, account)
    assert read_token(stack, account_row) != read_token(stack, account)
    assert account_row.expires_at is not None
    assert 59 * DAY < account_row.expires_at - datetime.now(UTC) <= 60 * DAY
    assert account_row.renew_at is not None
    assert 26 * DAY < account_row.renew_at - datetime.now(UTC) < 34 * DAY
    assert account_row.scopes is None or "instagram_business_content_publish" in account_row.scopes
    assert (await parts.accounts.whoami(account_row)).user_id == account.user_id


async def test_refresh_tokens_are_kept_alive(stack: Stack, parts: WorkerParts) -> None:
    account = await stack.connect("tiktok", refreshToken="kept alive", clientKey="key")
    account_row = await renewed(stack, parts, account)
    assert account_row.refresh_expires_at is not None
    assert account_row.refresh_expires_at - datetime.now(UTC) > 179 * DAY
    assert (await parts.accounts.whoami(account_row)).user_id == account.user_id


async def test_failed_renewals_are_not_repeated(stack: Stack, parts: WorkerParts) -> None:
    account = await stack.connect("linkedin")
    account_row = await renewed(stack, parts, account)
    assert (account_row.renew_at, account_row.renewal_failures, account_row.credentials) == (
        None,
        0,
        account.credentials,
    )


@pytest.mark.parametrize(
    ("ended", "refused"), [("now() - interval '1 hour'", True), ("now() + interval '1 hour'", False)]
)
async def test_a_refused_account_is_held_once_its_token_has_ended(
    stack: Stack, parts: WorkerParts, ended: str, *, refused: bool
) -> None:
    account = await stack.connect("twitter", refreshToken=f"revoked {refused}", clientId="app")
    await stack.control("DELETE", f"tokens?platform=twitter&accountId={account.id}")
    account_row = await renewed(stack, parts, account, f", expires_at = {ended}")
    async with asyncio.timeout(60):
        while refused and (await row(stack, account)).refused_at is None:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)
    assert ((await row(stack, account)).refused_at is not None) is refused
    assert (account_row.renew_at, account_row.renewal_error) == (None, "invalid_request")


async def test_an_outage_is_tried_again_by_itself(stack: Stack, parts: WorkerParts) -> None:
    account = await stack.connect("instagram")
    await stack.fault("instagram", "reject", "auth", status=503, times=1)
    account_row = await renewed(stack, parts, account)
    assert (account_row.refused_at, account_row.renewal_failures) == (None, 1)
    assert account_row.renew_at is not None
    assert account_row.renew_at - datetime.now(UTC) < timedelta(seconds=10)
    assert (await renewed(stack, parts, account)).renewal_failures == 0


async def test_an_unclear_renewal_waits_until_the_token_has_ended(stack: Stack, parts: WorkerParts) -> None:
    account = await stack.connect("twitter", refreshToken="perhaps used up", clientId="app")
    await due(stack, account, UNCLEAR)
    await renew_due(parts.database, parts.accounts)
    assert (await row(stack, account)).credentials == account.credentials
    assert (await renewed(stack, parts, account, UNCLEAR.replace("+", "-"))).renewed_at is not None


async def test_two_workers_renew_each_account_once(stack: Stack, parts: WorkerParts) -> None:
    accounts = [await stack.connect("pinterest", refreshToken=f"once {n}", clientId="app") for n in range(5)]
    for account in accounts:
        await due(stack, account)
    database = Database(stack.database_url, pool_size=5, max_overflow=5)
    async with open_parts(stack.settings, database) as second:
        await asyncio.gather(renew_due(parts.database, parts.accounts), renew_due(second.database, second.accounts))
    await database.close()
    async with asyncio.timeout(60):
        while None in [(await row(stack, unrenewed)).renewed_at for unrenewed in accounts]:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)
    for account in accounts:
        assert (await row(stack, account)).renewal_failures == 0


async def test_disabled_renewals_renew_nothing(stack: Stack) -> None:
    settings = stack.settings.model_copy(update={"renewals": False})
    async with open_parts(settings, stack.database) as parts:
        assert parts.accounts.renews is False


async def measured(stack: Stack) -> tuple[int, int]:
    """Return how many accounts of Reddit end soon, and for how many seconds a renewal has been due."""
    samples = await measure(stack.api_database, LATE_AFTER)
    values = {(sample.gauge, sample.labels.get("platform")): sample.value for sample in samples}
    return values["socialsyncer_accounts_expiring", "reddit"], values["socialsyncer_renewals_overdue_seconds", None]


async def test_connections_that_end_within_a_week_are_counted(stack: Stack) -> None:
    now = datetime.now(UTC)
    async with stack.database.reading() as session:
        before = (await ends_of_accounts(session, now, WARNED_AHEAD)).expiring.get("reddit", 0)
    for ends in ("6 days", "8 days", "-1 day"):
        account = await stack.connect("reddit")
        async with stack.database.transaction() as session:
            statement = text(f"UPDATE accounts SET refresh_expires_at = now() + interval '{ends}' WHERE id = :id")
            await session.execute(statement, {"id": account.id})
    late = await stack.connect("twitter", refreshToken="overdue", clientId="app")
    await due(stack, late, UNCLEAR)
    expiring, overdue_s = await measured(stack)
    assert (expiring, overdue_s >= 30 * DAY.total_seconds()) == (before + 2, True)
    async with stack.database.transaction() as session:
        await session.execute(text("UPDATE accounts SET refused_at = now() WHERE platform = 'reddit'"))
        await session.execute(text("UPDATE accounts SET renew_at = NULL"))
    assert await measured(stack) == (0, 0)
