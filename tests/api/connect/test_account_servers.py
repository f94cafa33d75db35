"""Connect accounts on Bluesky and Mastodon, whose servers the client names."""

from datetime import UTC, datetime
from typing import Any, cast

import pytest
from sqlalchemy import select

from accounts.connecting.context import ConnectContext, refusal_for
from accounts.credentials.connections import AccountConnections
from platforms.access.registered_apps import RegisteredApps
from platforms.errors import ErrorKind, PlatformError
from platforms.registry import platforms
from platforms.servers.reach import FORBIDDEN
from reconcile.app_setup import app_documents
from store.apps import announce_apps
from store.database import Database
from store.models import AppSetup, PendingConnection
from tests.api.conftest import Client, read_answer
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
from tests.stack import Stack

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
