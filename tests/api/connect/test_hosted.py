"""Connecting with `hosted=true`: this service receives the platform's redirect in a person's browser."""

import base64
import html
import logging
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlsplit

import httpx
import pytest
from litestar import Litestar
from sqlalchemy import text, update

from api.connect.hosted_pages import invitation
from store.models import PendingConnection
from tests.api.conftest import PUBLIC_URL, Client, make_client, problems
from tests.api.connect.consents import credentials, read_connection
from tests.stack import Stack

BACK = "https://app.example.com/connected?from=us"
ONWARDS = re.compile(r'http-equiv="refresh" content="0;url=([^"]+)"')


class Browser:
    """A person's browser: it keeps cookies, sends forms from the page it is on, and goes where pages send it."""

    def __init__(self, app: Litestar, stack: Stack) -> None:
        self.own = make_client(app, None)
        self.platform = stack.http
        self.seen: list[str] = []

    async def open(self, url: str) -> httpx.Response:
        self.seen.append(url)
        client = self.own if url.startswith(PUBLIC_URL) else self.platform
        return await client.get(url, headers={"User-Agent": "Mozilla/5.0"}, follow_redirects=False)

    async def send(self, url: str, origin: str = PUBLIC_URL, **form: Any) -> httpx.Response:
        return await self.own.post(url, data=form, headers={"Origin": origin}, follow_redirects=False)

    async def consent(self, begun: dict[str, Any], person: str = "jane", **more: str) -> str:
        """Go from the address that the caller received to the callback; returns the callback's address."""
        assert (await self.open(begun["authUrl"])).status_code == 200
        started = await self.send(begun["authUrl"])
        assert started.status_code == 200, started.text
        asked = onwards(started)
        query = "&".join(f"{name}={value}" for name, value in {"sandbox_as": person, **more}.items())
        response = await self.open(f"{asked}&{query}")
        assert response.status_code == 302, response.text
        return str(response.headers["location"])

    async def come_back(self, callback: str) -> httpx.Response:
        """Open the callback and continue to the page that it leads to."""
        response = await self.open(callback)
        assert response.status_code == 303, response.text
        assert "code" not in response.headers["location"]
        return await self.open(response.headers["location"])


def onwards(response: httpx.Response) -> str:
    """Return the address to which a page sends the browser."""
    match = ONWARDS.search(response.text)
    assert match, response.text
    return html.unescape(match[1])


def returned(response: httpx.Response, back: str = BACK) -> dict[str, list[str]]:
    """Return the parameters of the caller's address to which a page sends the browser."""
    url = onwards(response)
    assert url.startswith(back), url
    return parse_qs(urlsplit(url).query)


@pytest.fixture
async def browser(app: Litestar, stack: Stack) -> AsyncIterator[Browser]:
    browser = Browser(app, stack)
    yield browser
    await browser.own.aclose()


async def begin(api: Client, platform: str = "twitter", **query: str | None) -> dict[str, Any]:
    parameters = {"hosted": "true", "redirect_url": BACK, **query}
    response = await api.get(
        f"/v1/connect/{platform}", params={name: value for name, value in parameters.items() if value}
    )
    assert response.status_code == 200, response.text
    begun: dict[str, Any] = response.json()
    assert (begun["method"], begun["state"]) == ("oauth", None)
    return begun


async def progress(api: Client, begun: dict[str, Any], platform: str = "twitter") -> dict[str, Any]:
    response = await api.get(f"/v1/connect/{platform}/{begun['connectionId']}")
    assert response.status_code == 200, response.text
    body: dict[str, Any] = response.json()
    return body


async def test_a_person_is_sent_back_with_the_account(stranger: Client, stack: Stack, browser: Browser) -> None:
    begun = await begin(stranger)
    assert (await progress(stranger, begun))["status"] == "pending"
    shown = await browser.come_back(await browser.consent(begun))
    query = returned(shown)
    account = query.pop("accountId")[0]
    assert query == {"from": ["us"], "connectionId": [begun["connectionId"]], "platform": ["twitter"]}
    stands = await progress(stranger, begun)
    assert stands["status"] == "connected"
    assert [entry["accountId"] for entry in stands["accounts"]] == [account]
    assert (await credentials(stack, stranger.workspace_id, account))["client_id"] == "sandbox-app"


async def test_pushed_authorization_returns_with_its_issuer(stranger: Client, stack: Stack, browser: Browser) -> None:
    known = await stack.connect("bluesky")
    handle = known.username if "." in known.username else f"{known.username.replace('_', '-').lower()}.bsky.social"
    begun = await begin(stranger, "bluesky", identifier=handle)
    query = returned(await browser.come_back(await browser.consent(begun, known.username)))
    assert query["accountId"] == [known.id]


@pytest.mark.parametrize("issuer", ["https://evil.example", ""])
async def test_a_pushed_authorization_takes_no_answer_of_another_server(
    stranger: Client, stack: Stack, browser: Browser, issuer: str
) -> None:
    known = await stack.connect("bluesky")
    handle = f"{known.username.replace('_', '-')}.bsky.social"
    begun = await begin(stranger, "bluesky", identifier=handle)
    callback = urlsplit(await browser.consent(begun, known.username))
    back = dict(parse_qsl(callback.query)) | {"iss": issuer}
    query = "&".join(f"{name}={value}" for name, value in back.items() if value)
    result = returned(await browser.come_back(f"{PUBLIC_URL}{callback.path}?{query}"))
    assert result["error"] == ["code_rejected"]
    assert (await progress(stranger, begun, "bluesky"))["accounts"] == []


async def test_a_declined_pushed_authorization_says_so(stranger: Client, stack: Stack, browser: Browser) -> None:
    known = await stack.connect("bluesky")
    handle = f"{known.username.replace('_', '-')}.bsky.social"
    begun = await begin(stranger, "bluesky", identifier=handle)
    shown = await browser.come_back(await browser.consent(begun, known.username, sandbox_decline="all"))
    assert returned(shown)["error"] == ["authorization_declined"]


async def test_the_history_names_the_hosted_connection(stranger: Client, browser: Browser) -> None:
    """Who made the address and which connection it was is kept, and nothing by which it could be used."""
    begun = await begin(stranger)
    callback = await browser.consent(begun, "recorded")
    account = returned(await browser.come_back(callback))["accountId"][0]
    response = await stranger.get(f"/v1/accounts/twitter/{account}/history")
    (event,) = response.json()["events"]
    assert (event["action"], event["connectionId"]) == ("connected", begun["connectionId"])
    assert event["actor"]["type"] == "api_key"
    assert event["summary"].endswith(" connected recorded on a page of this service.")
    back = dict(parse_qsl(urlsplit(callback).query))
    for secret in (begun["authUrl"].rpartition("/")[2], back["state"], back["code"]):
        assert secret not in response.text


async def test_page_shows_the_result_without_a_return_address(stranger: Client, browser: Browser) -> None:
    begun = await begin(stranger, redirect_url=None)
    shown = await browser.come_back(await browser.consent(begun))
    assert "jane" in shown.text
    assert not ONWARDS.search(shown.text)


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


class TestSeveral:
    async def test_page_offers_the_choice(self, stranger: Client, stack: Stack, browser: Browser) -> None:
        await stack.switch_on("facebook", "several_pages")
        begun = await begin(stranger, "facebook")
        shown = await browser.come_back(await browser.consent(begun, "baker"))
        url = browser.seen[-1]
        boxes = re.findall(r'name="ids" value="(\d+)"( disabled)?', shown.text)
        assert [bool(disabled) for _, disabled in boxes] == [False, False, True]
        assert (await progress(stranger, begun, "facebook"))["status"] == "selection"
        assert "at least one" in (await browser.send(url)).text
        # A form that is far larger than this page's costs nothing to read.
        assert "at least one" in (await browser.send(url, ids=boxes[0][0], padding="%" * 64 * 1024)).text
        # An option that cannot be chosen stays unavailable, whatever the form contains.
        await browser.send(url, ids=[boxes[2][0]])
        assert (await progress(stranger, begun, "facebook"))["status"] == "selection"
        chosen = await browser.send(url, ids=[option_id for option_id, disabled in boxes if not disabled])
        assert chosen.status_code == 303
        query = returned(await browser.open(chosen.headers["location"]))
        assert len(query["accountId"]) == 2
        stands = await progress(stranger, begun, "facebook")
        assert {account["username"] for account in stands["accounts"]} == {"baker", "baker 2"}
        # The form is sent again: nothing changes, and the response is the same.
        again = await browser.send(url, ids=[boxes[0][0]])
        assert returned(await browser.open(again.headers["location"])) == query

    async def test_caller_offers_the_choice(self, stranger: Client, stack: Stack, browser: Browser) -> None:
        await stack.switch_on("facebook", "several_pages")
        begun = await begin(stranger, "facebook", choose="caller")
        shown = await browser.come_back(await browser.consent(begun, "baker"))
        assert returned(shown)["selectionId"] == [begun["connectionId"]]
        selection = (await progress(stranger, begun, "facebook"))["selection"]
        body = {"selectionId": selection["id"], "ids": [selection["options"][0]["id"]]}
        response = await stranger.post("/v1/connect/facebook/select", json=body)
        assert response.status_code == 201, response.text
        stands = await progress(stranger, begun, "facebook")
        assert (stands["status"], stands["selection"]) == ("connected", None)

    async def test_account_names_are_escaped(self, stranger: Client, stack: Stack, browser: Browser) -> None:
        await stack.switch_on("facebook", "several_pages")
        begun = await begin(stranger, "facebook")
        shown = await browser.come_back(await browser.consent(begun, "%3Cimg+src%3Dx%3E"))
        assert "&lt;img src=x&gt;" in shown.text
        assert "<img" not in shown.text


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


class TestForeignRequests:
    async def test_another_browser_cannot_continue(self, app: Litestar, stranger: Client, stack: Stack) -> None:
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

    async def test_form_of_another_site_is_refused(self, stranger: Client, browser: Browser) -> None:
        begun = await begin(stranger)
        assert (await browser.send(begun["authUrl"], origin="https://evil.example")).status_code == 403
        assert (await browser.send(begun["authUrl"], origin="null")).status_code == 403

    async def test_a_state_works_once(self, stranger: Client, browser: Browser) -> None:
        begun = await begin(stranger)
        first = await browser.consent(begun)
        second = await browser.consent(begun, "mallory")
        query = returned(await browser.come_back(first))
        # The page may be loaded again; another code is refused.
        assert returned(await browser.come_back(first)) == query
        assert (await browser.open(second)).status_code == 410
        assert (await browser.open(begun["authUrl"])).status_code == 410

    async def test_address_that_has_ended_leads_back_to_the_caller(self, stranger: Client, browser: Browser) -> None:
        begun = await begin(stranger)
        await browser.come_back(await browser.consent(begun))
        ended = await browser.open(begun["authUrl"])
        (link,) = re.findall(r'<a href="([^"]+)"', ended.text)
        assert html.unescape(link).startswith(f"{BACK}&connectionId={begun['connectionId']}")
        assert parse_qs(urlsplit(html.unescape(link)).query)["error"] == ["connection_expired"]
        assert "accountId" not in link
        assert "refresh" not in ended.text

    async def test_a_state_ends_after_ten_minutes(self, stranger: Client, stack: Stack, browser: Browser) -> None:
        begun = await begin(stranger)
        callback = await browser.consent(begun)
        async with stack.database.transaction() as session:
            own = update(PendingConnection).where(PendingConnection.id == begun["connectionId"])
            await session.execute(own.values(expires_at=datetime.now(UTC) - timedelta(seconds=1)))
        assert (await browser.open(callback)).status_code == 410
        stands = await progress(stranger, begun)
        assert (stands["status"], stands["refusal"]["code"]) == ("failed", "connection_expired")

    async def test_a_client_cannot_take_the_answer_instead(self, stranger: Client, browser: Browser) -> None:
        callback = await browser.consent(await begin(stranger))
        back = dict(parse_qsl(urlsplit(callback).query))
        body = {"code": back["code"], "state": back["state"], "redirect_url": callback.partition("?")[0]}
        response = await stranger.post("/v1/connect/twitter", json=body)
        assert (response.status_code, response.json()["code"]) == (422, "connection_expired")

    async def test_connection_is_invisible_to_another_workspace(self, stranger: Client, api: Client) -> None:
        begun = await begin(stranger)
        assert (await api.get(f"/v1/connect/twitter/{begun['connectionId']}")).status_code == 404
        assert (await stranger.get(f"/v1/connect/tiktok/{begun['connectionId']}")).status_code == 404
        assert (await stranger.get("/v1/connect/twitter/sel_x")).status_code == 404

    @pytest.mark.parametrize("path", ["callback", "callback?state=x&code=y", "start/x", "result/x", "result/sel_%00"])
    async def test_invented_addresses_are_not_found(self, browser: Browser, path: str) -> None:
        response = await browser.open(f"{PUBLIC_URL}/v1/connect/{path}")
        assert response.status_code in {403, 404, 410}
        assert "location" not in response.headers


class TestRefusals:
    async def test_person_who_declines_returns_with_a_message(self, stranger: Client, browser: Browser) -> None:
        begun = await begin(stranger)
        query = returned(await browser.come_back(await browser.consent(begun, sandbox_decline="all")))
        assert query["error"] == ["authorization_declined"]
        assert "declined at X" in query["message"][0]
        assert (await progress(stranger, begun))["refusal"]["code"] == "authorization_declined"

    async def test_person_who_declines_without_a_way_back_reads_how_to_try_again(
        self, stranger: Client, browser: Browser
    ) -> None:
        begun = await begin(stranger, redirect_url=None)
        shown = await browser.come_back(await browser.consent(begun, sandbox_decline="all"))
        assert "declined at X" in shown.text
        assert "To try again, ask for a new address" in shown.text
        assert "To try again, ask for a new address" in (await browser.open(begun["authUrl"])).text

    async def test_unknown_platform_errors_are_not_repeated(self, stranger: Client, browser: Browser) -> None:
        begun = await begin(stranger)
        callback = await browser.consent(begun)
        base, state = callback.partition("?")[0], parse_qs(urlsplit(callback).query)["state"][0]
        shown = await browser.come_back(f"{base}?state={state}&error=%3Cscript%3E&error_description=secret")
        query = returned(shown)
        assert query["error"] == ["app_refused"]
        assert "script" not in shown.text
        assert "secret" not in shown.text

    async def test_unfinished_exchange_can_be_retried(self, stranger: Client, stack: Stack, browser: Browser) -> None:
        begun = await begin(stranger)
        callback = await browser.consent(begun, "patient")
        known = (await stack.control("GET", "accounts"))["accounts"]
        person = next(entry["accountId"] for entry in known if entry["username"] == "patient")
        await stack.fault("twitter", "reject", "auth", status=503, accountId=person, times=1)
        shown = await browser.come_back(callback)
        assert "Try again" in shown.text
        assert (await progress(stranger, begun))["status"] == "pending"
        again = await browser.send(browser.seen[-1])
        assert "accountId" in returned(await browser.open(again.headers["location"]))

    async def test_return_address_is_checked(self, stranger: Client) -> None:
        query = {"hosted": "true", "redirect_url": "//evil.example/"}
        response = await stranger.get("/v1/connect/twitter", params=query)
        assert response.status_code == 400
        assert [problem["param"] for problem in problems(response)] == ["redirect_url"]

    async def test_choose_needs_hosted(self, stranger: Client) -> None:
        query = {"choose": "caller", "redirect_url": BACK}
        response = await stranger.get("/v1/connect/twitter", params=query)
        assert [problem["param"] for problem in problems(response)] == ["choose"]


async def test_no_secret_is_in_a_row_a_log_or_an_address_of_ours(
    stranger: Client, stack: Stack, browser: Browser, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    begun = await begin(stranger)
    callback = await browser.consent(begun, "reader")
    shown = await browser.come_back(callback)
    back = dict(parse_qsl(urlsplit(callback).query))
    stored = await credentials(stack, stranger.workspace_id, returned(shown)["accountId"][0])
    ticket, cookie = begun["authUrl"].rpartition("/")[2], next(iter(browser.own.cookies.values()))
    hidden = [back["code"], stored["access_token"], stored["refresh_token"]]
    own = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpcore", "httpx"))]
    async with stack.database.reading() as session:
        rows = str((await session.execute(text("SELECT pending_connections::text FROM pending_connections"))).all())
    for secret in [*hidden, back["state"], ticket, cookie]:
        assert secret not in rows
        assert secret not in "\n".join(own)
    for secret in hidden:
        assert secret not in shown.text
        assert secret not in browser.seen[-1]
    assert (await read_connection(stack, stranger.workspace_id)).sealed is None
