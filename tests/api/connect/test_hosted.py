"""Connecting with `hosted=true`: this service receives the platform's redirect in a person's browser."""

import logging
import re
from urllib.parse import parse_qs, parse_qsl, urlsplit

import pytest
from sqlalchemy import text

from tests.api.conftest import PUBLIC_URL, Client, problems
from tests.api.connect.consents import credentials, read_connection
from tests.api.connect.hosted_browser import BACK, ONWARDS, Browser, begin, progress, returned
from tests.stack import Stack


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
