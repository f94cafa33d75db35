"""The pages on which a person connects an account: what they show, what they load, and who may continue there."""

import base64
import html
import re
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from litestar import Litestar
from sqlalchemy import update

from api.connect.hosted_pages import invitation
from store.models import PendingConnection
from tests.api.conftest import PUBLIC_URL, Client, problems
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


async def test_first_page_names_the_caller_and_changes_nothing(stranger: Client, browser: Browser) -> None:
    begun = await begin(stranger)
    for _ in range(2):
        page = await browser.open(begun["authUrl"])
        assert "app.example.com" in page.text
        assert "set-cookie" not in page.headers
    assert (await browser.send(begun["authUrl"])).status_code == 200


async def test_pages_load_nothing_and_cannot_be_framed(stranger: Client, browser: Browser) -> None:
    begun = await begin(stranger)
    page = await browser.open(begun["authUrl"])
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src" not in policy
    assert "<script" not in page.text
    assert page.headers["cache-control"] == "no-store"
    started = await browser.send(begun["authUrl"])
    assert "httponly" in started.headers["set-cookie"].lower()
    assert "samesite=lax" in started.headers["set-cookie"].lower()


def test_first_page_names_the_operator_beside_the_workspace() -> None:
    row = PendingConnection(return_url=None, account_id=None)
    shown = bytes(invitation(row, "X", "acme", "Example <Agency>").content).decode()
    assert (
        "<b>acme</b> asks to publish to your X account for you with the service of <b>Example &lt;Agency&gt;</b>"
        in shown
    )
    assert "If you do not know acme or Example &lt;Agency&gt;, close this page." in shown
    assert "with the service of" not in bytes(invitation(row, "X", "acme").content).decode()


def png(side: int, extra: int = 0) -> str:
    """Return the beginning of a square picture, in base64."""
    size = side.to_bytes(4) * 2
    return base64.b64encode(
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + size + b"\x08\x06\x00\x00\x00" + b"0" * extra
    ).decode()


class TestLook:
    async def test_the_first_page_has_the_name_and_the_picture_of_its_workspace(
        self, stranger: Client, api: Client, browser: Browser
    ) -> None:
        look = {"name": "Acme <Bakery>", "logo": png(200)}
        answer = await stranger.put("/v1/connect/page", json=look)
        assert (answer.status_code, answer.json()) == (200, look)
        assert (await stranger.get("/v1/connect/page")).json() == look
        own = await browser.open((await begin(stranger, "twitter"))["authUrl"])
        assert "<b>Acme &lt;Bakery&gt;</b> asks" in own.text
        assert f'<img alt="" src="data:image/png;base64,{look["logo"]}">' in own.text
        assert own.headers["content-security-policy"].endswith("; img-src data:")
        other = await browser.open((await begin(api, "twitter"))["authUrl"])
        assert "Acme" not in other.text
        assert "<img" not in other.text
        assert "img-src" not in other.headers["content-security-policy"]
        assert (await api.get("/v1/connect/page")).json() == {"name": None, "logo": None}
        # A field that is left out is removed.
        assert (await stranger.put("/v1/connect/page", json={})).json() == {"name": None, "logo": None}

    async def test_other_files_are_refused(self, stranger: Client) -> None:
        svg = base64.b64encode(b"<svg onload='alert(1)'/>").decode()
        for logo in (svg, png(513), png(0), png(10, 32 * 1024), "no base64!", "iVBORw0KGgo=", "é"):
            answer = await stranger.put("/v1/connect/page", json={"logo": logo})
            assert (answer.status_code, problems(answer)[0]["param"]) == (400, "logo"), logo[:20]
        for body in ({"name": "x" * 81}, {"name": " "}, {"title": "x"}):
            assert (await stranger.put("/v1/connect/page", json=body)).status_code == 400
