"""Connections that a platform, a person, the operator's settings or a workspace's limits refuse."""

import asyncio
from collections.abc import Collection
from datetime import timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.connecting import saving
from api.connect.begin import MOST_AN_HOUR
from api.dependencies import Dependencies
from api.shared.workspace_usage import WorkspaceLimits
from store.accounts.connected import has_room_for
from store.models import Account, ConnectedAccount, PendingConnection
from store.rows import count_rows
from tests.api.conftest import Client, make_client, problems
from tests.api.connect.consents import BACK, SERVER, begin, connected, consent, refused, trade
from tests.serving import app_over
from tests.stack import Stack
from workflows.short import ConnectPlan


@pytest.fixture
def two_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the workers connect two accounts of a workspace."""

    async def has_room(session: AsyncSession, workspace_id: str, account_ids: Collection[str], _: int) -> bool:
        return await has_room_for(session, workspace_id, account_ids, 2)

    monkeypatch.setattr(saving, "has_room_for", has_room)


async def test_account_limit_is_checked_before_consent(stack: Stack) -> None:
    deps = Dependencies.assemble(
        stack.api_database, stack.workflows, stack.outcomes, limits=WorkspaceLimits(accounts=1)
    )
    _, key = await stack.new_workspace()
    async with app_over(deps) as app, make_client(app, key) as client:
        known = await connected(client, stack, "twitter", "the only one")
        response = await client.get("/v1/connect/twitter", params={"redirect_url": BACK})
        assert "as many accounts as it may connect: 1." in await refused(response, 422, "too_many_accounts")
        again = await begin(client, "twitter", accountId=known["accountId"])
        assert (await trade(client, "twitter", await consent(stack, again, "the only one"))).status_code == 200


@pytest.mark.usefixtures("two_at_most")
async def test_concurrent_connections_respect_the_limit(stranger: Client, stack: Stack) -> None:
    backs = [await consent(stack, await begin(stranger, "twitter"), f"limited {number}") for number in range(4)]
    answers: list[httpx.Response] = await asyncio.gather(*(trade(stranger, "twitter", back) for back in backs))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 422, 422]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 422} == {"too_many_accounts"}
    async with stack.database.reading() as session:
        assert await count_rows(session, ConnectedAccount.workspace_id == stranger.workspace_id, most=10) == 2
    # A known account may always be connected again.
    person = next(number for number, response in enumerate(answers) if response.status_code == 201)
    back = await consent(stack, await begin(stranger, "twitter"), f"limited {person}")
    assert (await trade(stranger, "twitter", back)).status_code == 200


async def test_connections_of_a_workspace_are_limited_per_hour(stranger: Client, stack: Stack) -> None:
    await begin(stranger, "twitter")
    async with stack.database.transaction() as session:
        for number in range(MOST_AN_HOUR - 1):
            values = {"id": f"sel_{stranger.workspace_id}_{number}", "workspace_id": stranger.workspace_id}
            session.add(PendingConnection(**values, platform="twitter", options={}, expires_at=stack.began_at))
    for hosted in ("true", "false"):
        response = await stranger.get("/v1/connect/twitter", params={"redirect_url": BACK, "hosted": hosted})
        await refused(response, 429, "rate_limited")
        assert 3_500 < int(response.headers["retry-after"]) <= 3_600
    response = await stranger.post("/v1/connect/telegram", json={"credentials": {"botToken": "1:a", "chatId": "1"}})
    await refused(response, 429, "rate_limited")
    # The wait that is named is long enough: the oldest connection leaves the hour.
    oldest = select(func.min(PendingConnection.created_at)).where(
        PendingConnection.workspace_id == stranger.workspace_id
    )
    async with stack.database.transaction() as session:
        first = (await session.scalars(oldest)).one()
        assert first is not None
        begun_first = update(PendingConnection).where(PendingConnection.created_at == first)
        await session.execute(
            begun_first.values(created_at=first - timedelta(seconds=int(response.headers["retry-after"])))
        )
    await begin(stranger, "twitter")


class TestRefusals:
    async def test_unknown_code_is_refused(self, stranger: Client, stack: Stack) -> None:
        begun = await begin(stranger)
        response = await trade(stranger, "twitter", {"code": "guessed", "state": begun["state"]})
        assert "30 seconds" in await refused(response, 422, "code_rejected")
        # The failed request uses up the verifier.
        again = await trade(stranger, "twitter", {"code": "guessed", "state": begun["state"]})
        await refused(again, 422, "code_rejected")

    async def test_foreign_code_fails_at_the_verifier(self, stranger: Client, stack: Stack) -> None:
        victim, attacker = await begin(stranger), await begin(stranger)
        planted = await consent(stack, attacker, "mallory")
        response = await trade(stranger, "twitter", {"code": planted["code"], "state": victim["state"]})
        await refused(response, 422, "code_rejected")

    async def test_a_permission_that_was_declined_is_named(self, stranger: Client, stack: Stack) -> None:
        scope = "https://www.googleapis.com/auth/youtube.upload"
        back = await consent(stack, await begin(stranger, "youtube"), sandbox_decline=scope)
        assert scope in await refused(await trade(stranger, "youtube", back), 422, "permission_missing")

    async def test_a_permission_that_is_not_needed_to_publish_may_be_declined(
        self, stranger: Client, stack: Stack
    ) -> None:
        scope = "https://www.googleapis.com/auth/youtube.force-ssl"
        back = await consent(stack, await begin(stranger, "youtube"), sandbox_decline=scope)
        account = (await trade(stranger, "youtube", back)).json()
        assert account["missingPermissions"] == [scope]

    async def test_lost_token_response_requires_a_new_connection(self, stranger: Client, stack: Stack) -> None:
        back = await consent(stack, await begin(stranger))
        await stack.fault("twitter", "accept_then_drop", "auth", times=1)
        for _ in range(2):
            assert "Start again" in await refused(await trade(stranger, "twitter", back), 503, "unavailable")

    async def test_consent_is_kept_if_the_platform_fails_after_the_token_exchange(
        self, stranger: Client, stack: Stack
    ) -> None:
        back = await consent(stack, await begin(stranger), "patient")
        known = (await stack.control("GET", "accounts"))["accounts"]
        person = next(entry["accountId"] for entry in known if entry["username"] == "patient")
        # The request for tokens carries no token, so the fault applies only to the request for the account's name.
        await stack.fault("twitter", "reject", "auth", status=503, accountId=person, times=1)
        lost = await trade(stranger, "twitter", back)
        assert "Send the same request again" in await refused(lost, 503, "unavailable")
        assert (await trade(stranger, "twitter", back)).status_code == 201

    async def test_short_lived_token_is_never_saved(self, stranger: Client, stack: Stack) -> None:
        back = await consent(stack, await begin(stranger, "instagram"), "hasty")
        known = (await stack.control("GET", "accounts"))["accounts"]
        person = next(entry["accountId"] for entry in known if entry["username"] == "hasty")
        # The exchange for a token of 60 days is the first request that carries a token.
        await stack.fault("instagram", "reject", "auth", status=503, accountId=person, times=1)
        await refused(await trade(stranger, "instagram", back), 503, "unavailable")
        async with stack.database.reading() as session:
            owned = select(Account.id).where(Account.workspace_id == stranger.workspace_id)
            assert list(await session.scalars(owned)) == []

    async def test_missing_worker_is_503(self, stranger: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
        back = await consent(stack, await begin(stranger))

        async def not_in_time(plan: ConnectPlan) -> None:
            assert plan.step == "finish"

        with monkeypatch.context() as patched:
            patched.setattr(stack.workflows, "connect", not_in_time)
            await refused(await trade(stranger, "twitter", back), 503, "unavailable")
        assert (await trade(stranger, "twitter", back)).status_code == 201

    async def test_a_server_is_named(self, stranger: Client) -> None:
        response = await stranger.get("/v1/connect/mastodon", params={"redirect_url": BACK})
        await refused(response, 400, "missing_required_field", "instance")
        named = {"redirect_url": BACK, "instance": "https://social.example/@jane"}
        await refused(await stranger.get("/v1/connect/mastodon", params=named), 400, "invalid_field_value", "instance")

    async def test_invalid_server_is_named_in_the_error(self, stranger: Client, stack: Stack) -> None:
        await stack.fault("mastodon", "reject", "auth", status=404, times=2)
        named = {"redirect_url": BACK, "instance": SERVER}
        await refused(await stranger.get("/v1/connect/mastodon", params=named), 400, "invalid_field_value", "instance")

    @pytest.mark.parametrize(
        "failure", [{"fault": "drop"}, *({"fault": "reject", "status": status} for status in (429, 502, 503))]
    )
    async def test_name_of_a_server_is_not_at_fault_for_a_passing_failure(
        self, stranger: Client, stack: Stack, failure: dict[str, Any]
    ) -> None:
        named = {"redirect_url": BACK, "instance": SERVER}
        await stack.fault("mastodon", operation="auth", times=2, **failure)
        await refused(await stranger.get("/v1/connect/mastodon", params=named), 503, "unavailable")
        assert (await stranger.get("/v1/connect/mastodon", params=named)).status_code == 200

    async def test_a_server_that_is_not_public_is_not_called(self, stranger: Client) -> None:
        named = {"redirect_url": BACK, "instance": "http://127.0.0.1:9"}
        response = await stranger.get("/v1/connect/mastodon", params=named)
        await refused(response, 422, "server_forbidden", "instance")

    async def test_unknown_app_is_reported_as_operator_error(self, stranger: Client, stack: Stack) -> None:
        back = await consent(stack, await begin(stranger))
        refusal = {"error": "invalid_client"}
        await stack.fault("twitter", "reject", "auth", status=401, body=refusal, times=1)
        assert "Its operator must check them" in await refused(
            await trade(stranger, "twitter", back), 422, "app_refused"
        )

    async def test_an_unknown_parameter(self, stranger: Client) -> None:
        response = await stranger.get("/v1/connect/twitter", params={"redirect_url": BACK, "x": "1"})
        await refused(response, 400, "unknown_parameter", "x")

    async def test_an_option_has_the_values_that_the_platform_knows(self, stranger: Client) -> None:
        response = await stranger.get("/v1/connect/linkedin", params={"redirect_url": BACK, "as": "company"})
        await refused(response, 400, "invalid_field_value", "as")

    async def test_an_unknown_platform(self, stranger: Client) -> None:
        response = await stranger.get("/v1/connect/twiter", params={"redirect_url": BACK})
        assert "twitter?" in await refused(response, 400, "invalid_field_value", "platform")

    @pytest.mark.parametrize(
        "url",
        [
            "/connected",
            "//evil.example/connected",
            "http://app.example/connected",
            "https://app.example/connected#x",
            "https://app.example/connected#",
            "https://user@app.example/connected",
            "https://localhost:3000@evil.example/",
            "https://app.example./connected",
            "https://app.example\\@evil.example/",
            "https://app.example/a b",
            "https://app.exämple/",
            "javascript:alert(1)",
            "https://app.example:99999/",
            "https://" + "a" * 600,
        ],
    )
    async def test_redirect_url_not_allowed_is_refused(self, stranger: Client, url: str) -> None:
        response = await stranger.get("/v1/connect/twitter", params={"redirect_url": url})
        await refused(response, 400, "invalid_field_value", "redirect_url")

    async def test_a_redirect_url_is_needed(self, stranger: Client) -> None:
        await refused(await stranger.get("/v1/connect/twitter"), 400, "missing_required_field", "redirect_url")

    async def test_a_body_needs_code_or_credentials_not_both(self, stranger: Client) -> None:
        body = {"code": "c", "redirect_url": BACK, "credentials": {}}
        response = await stranger.post("/v1/connect/twitter", json=body)
        assert {problem["param"] for problem in problems(response)} == {"code", "redirect_url"}
        response = await stranger.post("/v1/connect/twitter", json={})
        assert {(problem["param"], problem["code"]) for problem in problems(response)} == {
            ("code", "missing_required_field"),
            ("redirect_url", "missing_required_field"),
        }
