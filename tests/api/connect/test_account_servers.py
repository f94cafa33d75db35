"""Accounts on servers of their own: connected there, and safe from servers and answers that others made up."""

import html
from datetime import UTC, datetime
from itertools import product
from typing import Any, cast
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from litestar import Litestar
from sqlalchemy import select

from accounts.connecting.context import ConnectContext, refusal_for
from accounts.credentials.connections import AccountConnections
from activities.commands import ConnectStep
from platforms.access.registered_apps import RegisteredApps
from platforms.errors import ErrorKind, PlatformError
from platforms.registry import platforms
from platforms.servers.reach import FORBIDDEN
from reconcile.app_setup import app_documents
from store.apps import announce_apps
from store.database import Database
from store.models import AppSetup, PendingConnection
from tests.api.conftest import PUBLIC_URL, Client, read_answer
from tests.api.connect import hosted_browser
from tests.api.connect.consents import (
    BACK,
    SERVER,
    _query,
    begin,
    consent,
    credentials,
    read_connection,
    refused,
    trade,
)
from tests.api.connect.hosted_browser import Browser, onwards, progress
from tests.stack import Stack
from workflows.short import ConnectPlan


class TestMixUp:
    """A server of the attacker sends a person on to an honest one, whose code would then go to the attacker."""

    async def test_an_answer_of_another_server_is_refused_although_the_asked_one_says_nothing_of_itself(
        self, stranger: Client, stack: Stack
    ) -> None:
        back = await consent(stack, await begin(stranger, "mastodon", instance=SERVER), "mixed")
        response = await trade(stranger, "mastodon", back, iss="https://honest.example")
        await refused(response, 422, "code_rejected")
        back = await consent(stack, await begin(stranger, "mastodon", instance=SERVER), "mixed")
        assert (await trade(stranger, "mastodon", back, iss=SERVER)).status_code == 201

    async def test_a_code_for_one_hosted_connection_is_not_taken_for_another(
        self, app: Litestar, stranger: Client, api: Client, stack: Stack
    ) -> None:
        """The attacker's server sends the victim on to where the attacker has begun, with the victim's own state."""
        attacker, victim = Browser(app, stack), Browser(app, stack)
        theirs = await hosted_browser.begin(api, "mastodon", instance=SERVER)
        callback = urlsplit(await attacker.consent(theirs, "the victim"))
        stolen = dict(parse_qsl(callback.query))
        begun = await hosted_browser.begin(stranger, "mastodon", instance=SERVER)
        await victim.open(begun["authUrl"])
        asked = dict(parse_qsl(urlsplit(onwards(await victim.send(begun["authUrl"]))).query))
        mixed = f"{PUBLIC_URL}{callback.path}?code={quote(stolen['code'])}&state={quote(asked['state'])}"
        response = await victim.open(mixed)
        assert response.status_code in {403, 410}, response.text
        assert (await progress(stranger, begun, "mastodon"))["status"] == "pending"
        # The honest way still works.
        path = urlsplit(asked["redirect_uri"]).path
        assert path != callback.path
        shown = await victim.open(f"{PUBLIC_URL}{path}?code=guessed&state={quote(asked['state'])}")
        assert shown.status_code == 303
        for browser in (attacker, victim):
            await browser.own.aclose()


class TestTemporal:
    """An intruder at Temporal runs steps of a connection that no client has asked for."""

    async def test_a_connection_without_an_answer_is_left_alone(self, stranger: Client, stack: Stack) -> None:
        begun = await begin(stranger)
        row = await read_connection(stack, stranger.workspace_id)
        await stack.workflows.connect(_plan(row, "finish"))
        assert (await read_connection(stack, stranger.workspace_id)).outcome is None
        assert (await trade(stranger, "twitter", await consent(stack, begun, "ada"))).status_code == 201

    async def test_a_selection_without_a_choice_is_left_alone(self, stranger: Client, stack: Stack) -> None:
        await stack.switch_on("googlebusiness", "other_group")
        begun = await begin(stranger, "googlebusiness")
        back = await consent(stack, begun, "shopkeeper")
        selection = (await trade(stranger, "googlebusiness", back)).json()["selection"]
        row = await read_connection(stack, stranger.workspace_id)
        await stack.workflows.connect(_plan(row, "select"))
        assert (await read_connection(stack, stranger.workspace_id)).selection_result is None
        body = {"selectionId": selection["id"], "ids": [selection["options"][0]["id"]]}
        assert (await stranger.post("/v1/connect/googlebusiness/select", json=body)).status_code == 201


def _plan(row: PendingConnection, step: ConnectStep) -> ConnectPlan:
    return ConnectPlan(connection_id=row.id, platform=row.platform, step=step, workspace_id=row.workspace_id)


class TestOddValues:
    @pytest.mark.parametrize(
        "instance",
        [
            "https://social.example:99999",
            "https://social.example:0",
            "https://[::1",
            "https://[::1]",
            "https://127.0.0.1",
            "https://169.254.169.254",
            "http://localhost",
            "https://0x7f000001",
            "https://social.example.",
            "https://a..b",
            "https://" + "a" * 300 + ".example",
            "https://social.example%00",
            "https://ex\u0440mple.\u043e\u0440\u0433",
            "https://user:pw@social.example",
            "javascript://social.example",
            "https://social.example\r\nX-Evil: 1",
            "\ufffd\u202e",
        ],
    )
    async def test_a_made_up_server_is_the_callers_mistake(self, stranger: Client, instance: str) -> None:
        query = {"redirect_url": BACK, "instance": instance}
        response = await stranger.get("/v1/connect/mastodon", params=query)
        assert response.status_code in {200, 400, 422}, response.text
        body = {"credentials": {"instance": instance, "accessToken": "a"}}
        response = await stranger.post("/v1/connect/mastodon", json=body)
        assert response.status_code in {400, 422}, response.text

    @pytest.mark.parametrize(
        "identifier",
        ["did:web:127.0.0.1%3A80", "did:web:localhost", "did:plc:", "did:key:z", "a.b", "alice.test/../x", "\ufffd.x"],
    )
    async def test_a_made_up_account_is_the_callers_mistake(self, stranger: Client, identifier: str) -> None:
        query = {"redirect_url": "http://127.0.0.1:3000/connected", "identifier": identifier}
        response = await stranger.get("/v1/connect/bluesky", params=query)
        assert response.status_code in {400, 422}, response.text

    @pytest.mark.parametrize(
        ("platform", "token"),
        [
            # In a header, in a path, and in a body.
            *product(
                ("mastodon", "telegram", "bluesky"),
                ("tök\u00e9n", "a\r\nX-Evil: 1", "\u20ac", "a" * 4000, " ", "a/../b?c#d"),
            ),
            *product(("twitter", "discord", "facebook"), ("a\r\nX-Evil: 1", "a/../b?c#d")),
        ],
    )
    async def test_a_made_up_token_is_the_callers_mistake(self, stranger: Client, platform: str, token: str) -> None:
        credentials = {"accessToken": token}
        if platform in {"telegram", "discord", "bluesky"}:
            credentials |= {"userId": "@somebody" if platform == "telegram" else "123456789012345678"}
        response = await stranger.post(f"/v1/connect/{platform}", json={"credentials": credentials})
        assert response.status_code in {400, 422}, response.text
        assert "X-Evil" not in response.text

    async def test_a_made_up_answer_is_shown_as_text(self, stranger: Client, app: Litestar, stack: Stack) -> None:
        browser = Browser(app, stack)
        begun = await hosted_browser.begin(stranger)
        callback = await browser.consent(begun)
        base, state = callback.partition("?")[0], dict(parse_qsl(urlsplit(callback).query))["state"]
        shown = await browser.open(f"{base}?state={state}&code=%00%ff%0d%0aX-Evil:1&iss=%ed%a0%80")
        assert shown.status_code == 303
        assert "x-evil" not in shown.headers
        page = await browser.open(shown.headers["location"])
        assert "X-Evil" not in html.unescape(page.text)
        await browser.own.aclose()


AT_HOME = "http://127.0.0.1:3000/connected"


class TestBluesky:
    """Connecting by an app password, or by an authorization if the client names the account."""

    async def person(self, stack: Stack) -> str:
        account = await stack.connect("bluesky")
        return f"{account.username.replace('_', '-')}.bsky.social"

    async def begun(self, stranger: Client, handle: str) -> dict[str, Any]:
        return read_answer(
            await stranger.get("/v1/connect/bluesky", params={"redirect_url": AT_HOME, "identifier": handle})
        )

    async def allowed(self, stack: Stack, begun: dict[str, Any], person: str) -> dict[str, str]:
        answer = await stack.http.get(f"{begun['authUrl']}&sandbox_as={person}", headers={"User-Agent": "Mozilla/5.0"})
        assert answer.status_code == 302, answer.text
        return _query(answer.headers["location"])

    async def test_without_an_identifier_an_app_password_is_asked_for(self, stranger: Client) -> None:
        response = await stranger.get("/v1/connect/bluesky", params={"redirect_url": BACK})
        assert response.json()["method"] == "credentials"
        assert response.json()["authUrl"] is None

    async def test_an_authorized_account_publishes(self, stranger: Client, stack: Stack) -> None:
        handle = await self.person(stack)
        begun = await self.begun(stranger, handle)
        assert begun["method"] == "oauth"
        assert set(_query(begun["authUrl"])) == {"client_id", "request_uri"}
        back = await self.allowed(stack, begun, handle.partition(".")[0].replace("-", "_"))
        assert back["state"] == begun["state"]
        account = read_answer(await trade(stranger, "bluesky", back, iss=back["iss"], redirect_url=AT_HOME), 201)
        assert account["username"] == handle
        assert account["permissions"] == ["atproto", "transition:generic"]
        assert account["expiresAt"] is None
        stored = await credentials(stack, stranger.workspace_id, account["accountId"])
        assert {"dpop_key", "refresh_token", "issuer"} <= set(stored)
        row = await read_connection(stack, stranger.workspace_id)
        assert (row.sealed, row.handover) == (None, None)
        text_ = f"authorized {account['accountId']}"
        post = {"content": text_, "publishNow": True}
        post["platforms"] = [{"platform": "bluesky", "accountId": account["accountId"]}]
        assert (await stranger.send_post(post)).json()["status"] == "published"
        assert len(await stack.public(text_)) == 1

    async def test_issuer_must_match_the_authorization_server(self, stranger: Client, stack: Stack) -> None:
        handle = await self.person(stack)
        back = await self.allowed(stack, await self.begun(stranger, handle), "whoever")
        without = await trade(stranger, "bluesky", back, redirect_url=AT_HOME)
        await refused(without, 400, "missing_required_field", "iss")
        response = await trade(stranger, "bluesky", back, iss="https://evil.example", redirect_url=AT_HOME)
        await refused(response, 422, "code_rejected")

    async def test_consent_of_another_account_is_refused(self, stranger: Client, stack: Stack) -> None:
        handle = await self.person(stack)
        back = await self.allowed(stack, await self.begun(stranger, handle), "mallory")
        response = await trade(stranger, "bluesky", back, iss=back["iss"], redirect_url=AT_HOME)
        assert "another account" in await refused(response, 422, "no_accounts")

    async def test_an_unknown_handle_is_named(self, stranger: Client) -> None:
        query = {"redirect_url": AT_HOME, "identifier": "nobody.example"}
        response = await stranger.get("/v1/connect/bluesky", params=query)
        await refused(response, 400, "invalid_field_value", "identifier")

    async def test_unregistered_platform_needs_an_app(self, stranger: Client, stack: Stack) -> None:
        query = {"redirect_url": "https://app.example/back", "identifier": await self.person(stack)}
        response = await stranger.get("/v1/connect/bluesky", params=query)
        await refused(response, 422, "platform_not_configured")

    async def test_the_metadata_of_an_app_are_public(self, stranger: Client, stack: Stack) -> None:
        apps = RegisteredApps.parse(
            '{"bluesky": {"clientId": "https://posts.example/apps/b.json", "clientSecret": "hidden"}}'
        )
        documents = app_documents(apps, [BACK, "https://app.example/back"])
        async with stack.database.transaction() as session:
            before = await session.scalar(select(AppSetup))
            assert before is not None
            await announce_apps(session, before.platforms, before.platforms_by_workspace, datetime.now(UTC), documents)
        response = await stranger.get("/apps/b.json", headers={"Authorization": ""})
        assert response.status_code == 200, response.text
        assert response.json()["client_id"] == "https://posts.example/apps/b.json"
        assert response.json()["redirect_uris"] == ["https://app.example/back"]
        assert "hidden" not in response.text
        assert (await stranger.get("/apps/other.json")).status_code == 404


class TestMastodon:
    """Connecting to servers that report less, and to servers that report more about themselves."""

    async def test_older_server_is_asked_for_older_permissions(self, stranger: Client, stack: Stack) -> None:
        await stack.switch_on("mastodon", "old_scopes")
        begun = await begin(stranger, "mastodon", instance=SERVER)
        assert _query(begun["authUrl"])["scope"] == "read write"
        account = (await trade(stranger, "mastodon", await consent(stack, begun, "elder"))).json()
        assert account["permissions"] == ["read", "write"]
        assert account["missingPermissions"] == []

    async def test_server_with_issuer_parameter_requires_it(self, stranger: Client, stack: Stack) -> None:
        await stack.switch_on("mastodon", "old_scopes")
        await stack.switch_on("mastodon", "names_issuer")
        begun = await begin(stranger, "mastodon", instance=SERVER)
        assert _query(begun["authUrl"])["scope"] == "read write"

    async def test_code_of_another_server_is_not_exchanged(self, stranger: Client, stack: Stack) -> None:
        await stack.switch_on("mastodon", "names_issuer")
        for sent in (None, "https://evil.example"):
            back = await consent(stack, await begin(stranger, "mastodon", instance=SERVER), "ann")
            assert back["iss"] == SERVER
            await refused(await trade(stranger, "mastodon", back, iss=sent), 422, "code_rejected")
        back = await consent(stack, await begin(stranger, "mastodon", instance=SERVER), "ann")
        assert (await trade(stranger, "mastodon", back, iss=SERVER)).status_code == 201


@pytest.mark.parametrize(
    ("platform", "redirect_url", "param"),
    [("bluesky", AT_HOME, "identifier"), ("mastodon", AT_HOME, "instance"), ("bluesky", None, "credentials")],
)
def test_a_forbidden_server_is_blamed_on_the_parameter_that_led_to_it(
    platform: str, redirect_url: str | None, param: str
) -> None:
    step = ConnectContext(
        cast("Database", None),
        cast("AccountConnections", None),
        PendingConnection(platform=platform, redirect_url=redirect_url),
    )
    error = PlatformError(ErrorKind.REJECTED, "localhost is not on the public internet.", code=FORBIDDEN)
    outcome = refusal_for(platforms()[platform], error, step.server_param).outcome
    assert (outcome["error"]["code"], outcome["error"]["param"]) == ("server_forbidden", param)
