"""Other browsers, other sites and other workspaces at the pages on which a person connects an account."""

import html
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from litestar import Litestar
from sqlalchemy import update

from store.models import PendingConnection
from tests.api.conftest import PUBLIC_URL, Client
from tests.api.connect.hosted_browser import BACK, Browser, begin, progress, returned
from tests.stack import Stack


async def test_another_browser_cannot_continue(app: Litestar, stranger: Client, stack: Stack) -> None:
    """A person who is sent straight to the platform's page connects nothing to the sender's workspace."""
    attacker, victim = Browser(app, stack), Browser(app, stack)
    begun = await begin(stranger)
    callback = await attacker.consent(begun, "victim")
    response = await victim.open(callback)
    assert response.status_code == 403
    assert (await progress(stranger, begun))["status"] == "pending"
    # A browser that opens the same address later connects nothing either.
    assert (await victim.send(begun["authUrl"])).status_code == 409
    assert (await attacker.come_back(callback)).status_code == 200
    assert (await victim.open(attacker.seen[-1])).status_code == 403
    await attacker.own.aclose()
    await victim.own.aclose()


async def test_form_of_another_site_is_refused(stranger: Client, browser: Browser) -> None:
    begun = await begin(stranger)
    assert (await browser.send(begun["authUrl"], origin="https://evil.example")).status_code == 403
    assert (await browser.send(begun["authUrl"], origin="null")).status_code == 403


async def test_a_state_works_once(stranger: Client, browser: Browser) -> None:
    begun = await begin(stranger)
    first = await browser.consent(begun)
    second = await browser.consent(begun, "mallory")
    query = returned(await browser.come_back(first))
    # The page may be loaded again; another code is refused.
    assert returned(await browser.come_back(first)) == query
    assert (await browser.open(second)).status_code == 410
    assert (await browser.open(begun["authUrl"])).status_code == 410


async def test_address_that_has_ended_leads_back_to_the_caller(stranger: Client, browser: Browser) -> None:
    begun = await begin(stranger)
    await browser.come_back(await browser.consent(begun))
    ended = await browser.open(begun["authUrl"])
    (link,) = re.findall(r'<a href="([^"]+)"', ended.text)
    assert html.unescape(link).startswith(f"{BACK}&connectionId={begun['connectionId']}")
    assert parse_qs(urlsplit(html.unescape(link)).query)["error"] == ["connection_expired"]
    assert "accountId" not in link
    assert "refresh" not in ended.text


async def test_a_state_ends_after_ten_minutes(stranger: Client, stack: Stack, browser: Browser) -> None:
    begun = await begin(stranger)
    callback = await browser.consent(begun)
    async with stack.database.transaction() as session:
        own = update(PendingConnection).where(PendingConnection.id == begun["connectionId"])
        await session.execute(own.values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
    assert (await browser.open(callback)).status_code == 410
    stands = await progress(stranger, begun)
    assert (stands["status"], stands["refusal"]["code"]) == ("failed", "connection_expired")


async def test_a_client_cannot_take_the_answer_instead(stranger: Client, browser: Browser) -> None:
    callback = await browser.consent(await begin(stranger))
    back = dict(parse_qsl(urlsplit(callback).query))
    body = {"code": back["code"], "state": back["state"], "redirect_url": callback.partition("?")[0]}
    response = await stranger.post("/v1/connect/twitter", json=body)
    assert (response.status_code, response.json()["code"]) == (422, "connection_expired")


async def test_connection_is_invisible_to_another_workspace(stranger: Client, api: Client) -> None:
    begun = await begin(stranger)
    assert (await api.get(f"/v1/connect/twitter/{begun['connectionId']}")).status_code == 404
    assert (await stranger.get(f"/v1/connect/tiktok/{begun['connectionId']}")).status_code == 404
    assert (await stranger.get("/v1/connect/twitter/sel_x")).status_code == 404


@pytest.mark.parametrize("path", ["callback", "callback?state=x&code=y", "start/x", "result/x", "result/sel_%00"])
async def test_invented_addresses_are_not_found(browser: Browser, path: str) -> None:
    response = await browser.open(f"{PUBLIC_URL}/v1/connect/{path}")
    assert response.status_code in {403, 404, 410}
    assert "location" not in response.headers
