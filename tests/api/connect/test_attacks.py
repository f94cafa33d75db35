"""Attacks on connecting accounts: mixed-up servers, and values that no server or person would send."""

import html
from itertools import product
from urllib.parse import parse_qsl, quote, urlsplit

import pytest
from litestar import Litestar

from activities.commands import ConnectStep
from store.models import PendingConnection
from tests.api.conftest import PUBLIC_URL, Client
from tests.api.connect import hosted_browser
from tests.api.connect.consents import BACK, SERVER, begin, consent, read_connection, refused, trade
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
