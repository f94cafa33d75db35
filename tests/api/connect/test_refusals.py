"""Connections that a platform, a person or the operator's settings refuse."""

from typing import Any

import pytest
from sqlalchemy import select

from store.models import Account
from tests.api.conftest import Client, problems
from tests.api.connect.consents import BACK, SERVER, begin, consent, refused, trade
from tests.stack import Stack
from workflows.connect import ConnectPlan


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
