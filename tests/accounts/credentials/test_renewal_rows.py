"""The row of an account before, during and after a renewal of its tokens."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import text

from accounts.credentials import renewal
from platforms.errors import ErrorKind, PlatformError
from platforms.meta.access import TOKENS as LONG_LIVED
from platforms.reddit.access import TOKENS as REUSED
from platforms.twitter.access import TOKENS
from store.accounts.connected import open_credentials, refuse_account, save_account
from store.accounts.renewals import Tokens
from store.models import Account
from store.secrets.vault import Vault
from tests.accounts.credentials.renewing import Platform, Process, row, token
from tests.stack import Stack

REFUSED = PlatformError(ErrorKind.AUTH, "No.", code="invalid_grant", status=400)
AWAY = PlatformError(ErrorKind.TRANSIENT, "Away.", code="unreachable")
HOUR = timedelta(hours=1)


async def write(stack: Stack, account: Account, assignments: str) -> Account:
    async with stack.database.transaction() as session:
        statement = f"UPDATE accounts SET {assignments} WHERE id = :id"
        await session.execute(text(statement), {"id": account.id})
    return await row(stack, account)


async def failure(process: Process, account: Account, platform: Platform, *, force: bool = False) -> PlatformError:
    with pytest.raises(PlatformError) as raised:
        await process().renewed(account, platform.renew, TOKENS, force=force)
    return raised.value


async def test_reported_lifetimes_are_saved_with_the_credentials(
    stack: Stack, account: Account, platform: Platform, process: Process
) -> None:
    await write(stack, account, "renewal_failures = 3, renewal_error = 'http_500', renew_at = now() + interval '1 h'")
    async with stack.database.transaction() as session:
        assert await refuse_account(session, account, account.credentials, "No.", "http_401")
    now = datetime.now(UTC)
    platform.tokens = Tokens(now + 2 * HOUR, now + 99 * HOUR, ["read", "write"], now + 50 * HOUR)
    assert await process().renewed(account, platform.renew, TOKENS, force=True)
    stored = await row(stack, account)
    assert (stored.expires_at, stored.refresh_expires_at, stored.renew_at) == (
        now + 2 * HOUR,
        now + 99 * HOUR,
        now + 50 * HOUR,
    )
    assert stored.scopes == ["read", "write"]
    assert stored.renewed_at is not None
    assert stored.renewed_at == stored.last_ok_at
    assert (stored.renewal_failures, stored.renewal_error, stored.renewal_started_at) == (0, None, None)
    assert stored.refused_at is None, "the platform accepts it again"
    assert account.expires_at == stored.expires_at, "the step's own row follows"
    platform.tokens = Tokens(None, None, None, None)
    await process().renewed(account, platform.renew, TOKENS)
    assert (await row(stack, account)).scopes == ["read", "write"], "an answer that names none takes none away"


async def test_row_records_a_renewal_before_its_request(
    stack: Stack, account: Account, platform: Platform, process: Process
) -> None:
    platform.may_answer.clear()
    renewing = asyncio.create_task(process().renewed(account, platform.renew, TOKENS))
    await platform.is_asked.wait()
    assert (await row(stack, account)).renewal_started_at is not None
    platform.may_answer.set()
    await renewing
    assert (await row(stack, account)).renewal_started_at is None


async def test_failed_renewals_are_counted_and_delayed(
    stack: Stack, account: Account, platform: Platform, process: Process
) -> None:
    platform.refusal = AWAY
    assert (await failure(process, account, platform)).code == "unreachable"
    stored = await row(stack, account)
    assert (stored.renewal_failures, stored.renewal_error, stored.renewal_started_at) == (1, "unreachable", None)
    assert stored.renew_at is not None
    await write(stack, account, "renew_at = now() + interval '1 hour'")
    again = await failure(process, account, platform)
    assert (again.kind, again.code, platform.asked) == (ErrorKind.TRANSIENT, "pause", 1)
    assert again.retry_after is not None
    platform.refusal = None
    await process().renewed(account, platform.renew, TOKENS, force=True)
    assert (await row(stack, account)).renewal_failures == 0


async def test_rate_limited_renewal_waits(stack: Stack, account: Account, platform: Platform, process: Process) -> None:
    platform.refusal = PlatformError(
        ErrorKind.RATE_LIMITED, "Slow.", code="http_429", status=429, retry_after=timedelta(minutes=10)
    )
    await failure(process, account, platform)
    renew_at = (await row(stack, account)).renew_at
    assert renew_at is not None
    assert renew_at - datetime.now(UTC) > timedelta(minutes=9)


async def test_operator_error_is_retried_after_15_minutes(
    stack: Stack, account: Account, platform: Platform, process: Process
) -> None:
    platform.refusal = PlatformError(ErrorKind.OPERATOR, "The app.", code="invalid_client", status=401)
    await failure(process, account, platform)
    renew_at = (await row(stack, account)).renew_at
    assert renew_at is not None
    assert timedelta(minutes=14) < renew_at - datetime.now(UTC) <= timedelta(minutes=15)


@pytest.mark.parametrize("code", ["timed_out", "connection_lost", "unreadable_answer"])
async def test_lost_renewal_is_remembered_although_the_platform_responds(
    stack: Stack, account: Account, platform: Platform, process: Process, code: str
) -> None:
    platform.refusal = PlatformError(ErrorKind.TRANSIENT, "Lost.", code=code)
    await failure(process, account, platform)
    lost = (await row(stack, account)).renewal_started_at
    assert lost is not None
    platform.refusal = AWAY
    await failure(process, account, platform, force=True)
    assert (await row(stack, account)).renewal_started_at == lost
    platform.refusal = REFUSED
    error = await failure(process, account, platform, force=True)
    assert (error.kind, error.code) == (ErrorKind.AUTH, "lost_in_renewal")
    stored = await row(stack, account)
    assert (stored.renewal_error, stored.renew_at) == ("lost_in_renewal", None)
    assert stored.renewal_started_at is not None


async def test_lost_response_is_harmless_if_refresh_tokens_are_reusable(
    stack: Stack, account: Account, platform: Platform, process: Process
) -> None:
    platform.refusal = PlatformError(ErrorKind.TRANSIENT, "Lost.", code="timed_out")
    with pytest.raises(PlatformError):
        await process().renewed(account, platform.renew, REUSED)
    assert (await row(stack, account)).renewal_started_at is None


async def test_refusal_of_an_old_token_does_not_refuse_the_account(
    stack: Stack, account: Account, platform: Platform, process: Process
) -> None:
    """The account was reconnected while the platform refused the old token."""
    platform.may_answer.clear()
    renewing = asyncio.create_task(process().renewed(account, platform.renew, TOKENS))
    await platform.is_asked.wait()
    await stack.reconnect(await row(stack, account))
    platform.refusal = REFUSED
    platform.may_answer.set()
    newest = await row(stack, account)
    assert await renewing == newest.credentials
    assert newest.renewal_error is None


async def test_a_token_without_a_refresh_token_cannot_be_renewed_once_it_has_ended(
    stack: Stack, account: Account, platform: Platform, process: Process
) -> None:
    """Threads, for one, responds that the requested resource does not exist."""
    account = await write(stack, account, "expires_at = now() - interval '1 minute'")
    platform.refusal = PlatformError(ErrorKind.TRANSIENT, "No such resource.", code="http_404", status=404)
    with pytest.raises(PlatformError) as raised:
        await process().renewed(account, platform.renew, LONG_LIVED)
    assert (raised.value.kind, raised.value.code) == (ErrorKind.AUTH, "connection_expired")
    assert "60 days" in raised.value.message


async def test_a_process_that_was_frozen_before_it_sent_sends_nothing(
    stack: Stack, account: Account, platform: Platform, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(renewal, "SEND_WITHIN", timedelta(0))
    error = await failure(process, account, platform)
    assert (error.kind, error.code, platform.asked) == (ErrorKind.TRANSIENT, "held_up", 0)
    stored = await row(stack, account)
    assert (stored.renewing_until, stored.renewal_started_at, stored.renewal_failures) == (None, None, 0)


async def test_lease_of_a_running_process_is_not_taken(
    stack: Stack, account: Account, platform: Platform, process: Process, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The process was frozen until its lease expired; its response is waited for."""
    monkeypatch.setattr(renewal, "_TIMEOUT_S", 2.0)
    platform.may_answer.clear()
    frozen = process()
    holder = asyncio.create_task(frozen.renewed(account, platform.renew, TOKENS))
    await platform.is_asked.wait()
    await write(stack, account, "renewing_until = now() - interval '1 hour'")
    error = await failure(process, await row(stack, account), platform)
    assert (error.code, platform.asked) == ("renewing", 1)
    platform.may_answer.set()
    # On a busy machine its step has given up waiting by now, and the renewal continues.
    await asyncio.gather(holder, return_exceptions=True)
    await frozen.close(10)
    assert await token(stack, account) == "renewed 1"


async def test_disabled_renewals_send_no_requests(
    stack: Stack, account: Account, platform: Platform, process: Process
) -> None:
    with pytest.raises(PlatformError) as raised:
        await process(on=False).renewed(account, platform.renew, TOKENS)
    assert (raised.value.kind, raised.value.code, platform.asked) == (ErrorKind.OPERATOR, "renewals_off", 0)


async def test_stopping_process_begins_no_renewal(account: Account, platform: Platform, process: Process) -> None:
    stopping = process()
    stopping.stop()
    with pytest.raises(PlatformError) as raised:
        await stopping.renewed(account, platform.renew, TOKENS)
    assert (raised.value.kind, raised.value.code, platform.asked) == (ErrorKind.TRANSIENT, "worker_stops", 0)


@pytest.mark.parametrize(
    ("user_id", "app_id", "new_token", "token_after"),
    [
        ("same", "same", None, "used once"),
        ("same", "same", "", "used once"),
        ("same", "same", "another", "another"),
        ("same", "other", None, None),
        ("other", "same", None, None),
    ],
)
async def test_a_reconnection_without_a_refresh_token_keeps_the_stored_one(
    stack: Stack, account: Account, user_id: str, app_id: str, new_token: str | None, token_after: str | None
) -> None:
    vault = Vault(stack.settings.encryption_keys)
    credentials = {"access_token": "reconnected"} | ({} if new_token is None else {"refresh_token": new_token})
    async with stack.database.transaction() as session:
        saved = await save_account(
            session,
            vault,
            workspace_id=account.workspace_id,
            account_id=account.id,
            platform=account.platform,
            user_id=account.user_id if user_id == "same" else "12345",
            username=account.username,
            premium=False,
            credentials=credentials,
            app_id=account.app_id if app_id == "same" else "another app",
        )
        stored = open_credentials(vault, saved)
    assert stored["access_token"] == "reconnected"
    assert stored.get("refresh_token") == token_after
    assert (saved.renewal_error, saved.renewal_started_at, saved.expires_at) == (None, None, None)
