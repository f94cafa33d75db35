"""The health of an account whose tokens were renewed at the platform, and the answer never arrived."""

from datetime import UTC, datetime, timedelta

from platforms.errors import PlatformError
from runtime.parts import WorkerParts
from tests.api.accounts.rows import age, change_row, read_account, read_health, revoke_at_platform
from tests.api.conftest import Client
from tests.api.connect.consents import connected
from tests.stack import Stack


async def whoami(stack: Stack, client: Client, parts: WorkerParts, account_id: str) -> PlatformError | None:
    """Let a worker ask the platform about an account; return the refusal."""
    account = await read_account(stack, client, account_id)
    assert account is not None
    try:
        await parts.accounts.whoami(account)
    except PlatformError as error:
        return error
    return None


async def interrupt(stack: Stack, client: Client, parts: WorkerParts, person: str) -> str:
    """Connect an account, let its access token end, and lose the answer with the new tokens; return its id."""
    account_id = (await connected(client, stack, "twitter", person))["accountId"]
    await revoke_at_platform(stack, "twitter", person, "&only=access")
    await stack.fault("twitter", "token_expired", "auth")
    await stack.fault("twitter", "accept_then_drop", "auth")
    assert await whoami(stack, client, parts, account_id) is not None
    await stack.clear_faults()
    return str(account_id)


async def test_an_interrupted_renewal_is_reported_with_the_refused_token(
    stranger: Client, stack: Stack, parts: WorkerParts
) -> None:
    account = await interrupt(stack, stranger, parts, "ann of a renewal")
    report = await read_health(stranger, "twitter", account)
    assert (report["health"], report["tokenValid"], report["reason"]) == ("warning", False, "renewal_interrupted")
    [sentence] = report["recommendations"]
    assert "X does not accept the access token any more" in sentence


async def test_tokens_that_were_lost_in_a_renewal_are_reported_as_such(
    stranger: Client, stack: Stack, parts: WorkerParts
) -> None:
    account = await interrupt(stack, stranger, parts, "bob of a renewal")
    await change_row(stack, stranger, account, renew_at=datetime.now(UTC))
    error = await whoami(stack, stranger, parts, account)
    assert error is not None
    assert error.code == "lost_in_renewal"
    report = await read_health(stranger, "twitter", account)
    assert (report["health"], report["tokenValid"], report["reason"]) == ("needs_reconnect", False, "lost_in_renewal")
    # The reason stays after the access token would have ended, and once the account is refused.
    ended = datetime.now(UTC) - timedelta(minutes=1)
    await change_row(stack, stranger, account, expires_at=ended)
    assert (await read_health(stranger, "twitter", account))["reason"] == "lost_in_renewal"
    await age(stack, stranger, account)
    checked = await read_health(stranger, "twitter", account, check="true")
    assert (checked["health"], checked["tokenValid"], checked["reason"]) == (
        "needs_reconnect",
        False,
        "lost_in_renewal",
    )


async def test_a_refused_token_that_cannot_be_renewed_now_is_not_valid(
    stranger: Client, stack: Stack, parts: WorkerParts
) -> None:
    account = (await connected(stranger, stack, "twitter", "cyd of an outage"))["accountId"]
    await revoke_at_platform(stack, "twitter", "cyd of an outage", "&only=access")
    await stack.fault("twitter", "token_expired", "auth")
    await stack.fault("twitter", "reject", "auth", status=503)
    assert await whoami(stack, stranger, parts, account) is not None
    report = await read_health(stranger, "twitter", account)
    assert (report["health"], report["tokenValid"], report["reason"]) == ("warning", False, "renewal_failing")
    await stack.clear_faults()
    await change_row(stack, stranger, account, renew_at=datetime.now(UTC))
    assert await whoami(stack, stranger, parts, account) is None
    report = await read_health(stranger, "twitter", account)
    assert (report["health"], report["tokenValid"], report["reason"]) == ("healthy", True, None)
