"""Tokens that expire, are renewed, are used up and are refused, on every platform that renews them."""

import base64
from collections.abc import AsyncIterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sandbox.authorization import PLAY_SECRET, pkce_challenge
from sandbox.server import running_sandbox
from tests.sandbox.conftest import Clock, Sandbox

BASIC = {
    "authorization": "Basic " + base64.b64encode(b"app:secret").decode(),
    "user-agent": "web:app:1 (by /u/tess)",
}
RENEWAL = {
    "twitter": "/2/oauth2/token",
    "tiktok": "/v2/oauth/token/",
    "pinterest": "/v5/oauth/token",
    "linkedin": "/oauth/v2/accessToken",
    "reddit": "/api/v1/access_token",
    "youtube": "/token",
    "googlebusiness": "/token",
}
WHO = {
    "twitter": "/2/users/me",
    "tiktok": "/v2/user/info/?fields=open_id",
    "pinterest": "/v5/user_account",
    "linkedin": "/v2/userinfo",
    "reddit": "/api/v1/me",
    "youtube": "/youtube/v3/channels?part=id&mine=true",
    "googlebusiness": "/v1/accounts",
    "instagram": "/v25.0/me?fields=user_id",
    "threads": "/v1.0/me?fields=id",
}
ROTATING = ("twitter", "tiktok", "pinterest")
LONG_LIVED = {"instagram": "ig_refresh_token", "threads": "th_refresh_token"}


async def connect(sandbox: Sandbox, platform: str) -> None:
    account = {
        "platform": platform,
        "accountId": "acc_t",
        "userId": "7001",
        "username": "tess",
        "accessToken": "given",
        "refreshToken": "given to renew",
    }
    assert (await sandbox.control.post("/_/accounts", json={"accounts": [account]})).status_code == 200


async def renew(sandbox: Sandbox, platform: str, token: str) -> httpx.Response:
    if grant_type := LONG_LIVED.get(platform):
        url, headers = f"/{platform}/refresh_access_token", {"authorization": f"Bearer {token}"}
        return await sandbox.control.get(url, params={"grant_type": grant_type}, headers=headers)
    form = {"grant_type": "refresh_token", "refresh_token": token}
    basic = platform in {"pinterest", "reddit", "twitter"}
    if not basic:
        form |= {"client_key" if platform == "tiktok" else "client_id": "app", "client_secret": "secret"}
    url = f"/{platform}{RENEWAL[platform]}"
    return await sandbox.control.post(url, data=form, headers=BASIC if basic else {})


async def is_accepted(sandbox: Sandbox, platform: str, token: str) -> bool:
    headers = {"authorization": f"Bearer {token}", "LinkedIn-Version": "202609", "User-Agent": "web:app:1 (by /u/tess)"}
    answer = await sandbox.control.get(f"/{platform}{WHO[platform]}", headers=headers)
    assert answer.status_code in {200, 400, 401}
    return answer.status_code == 200


async def grants(sandbox: Sandbox, platform: str) -> list[dict[str, Any]]:
    tokens = await sandbox.control.get("/_/tokens", params={"platform": platform, "accountId": "acc_t"})
    assert "given" not in tokens.text
    return list(tokens.json()["grants"])


@pytest.mark.parametrize("platform", WHO)
async def test_a_renewed_token_ends_after_the_time_that_was_reported(
    timed: Sandbox, clock: Clock, platform: str
) -> None:
    await connect(timed, platform)
    refresh_token = "given" if platform in LONG_LIVED else "given to renew"
    answer = (await renew(timed, platform, refresh_token)).json()
    token = answer["access_token"]
    assert await is_accepted(timed, platform, token)
    clock.now += answer["expires_in"] - 60
    assert await is_accepted(timed, platform, token)
    clock.now += 120
    assert not await is_accepted(timed, platform, token)
    again = await renew(
        timed, platform, token if platform in LONG_LIVED else answer.get("refresh_token", refresh_token)
    )
    # Instagram's and Threads' tokens cannot be renewed after they have expired.
    assert again.is_success is (platform not in LONG_LIVED)


@pytest.mark.parametrize("platform", RENEWAL)
async def test_a_refresh_token_is_accepted_as_often_as_its_platform_does(sandbox: Sandbox, platform: str) -> None:
    await connect(sandbox, platform)
    first = (await renew(sandbox, platform, "given to renew")).json()
    again = await renew(sandbox, platform, "given to renew")
    assert again.is_success is (platform not in ROTATING)
    # X treats a second use as a theft, and ends all tokens of the same consent.
    assert await is_accepted(sandbox, platform, first["access_token"]) is (platform != "twitter")
    if platform in ROTATING:
        assert await grants(sandbox, platform) == [{"renewals": 1, "replays": 1, "ended": platform == "twitter"}]
        assert (await renew(sandbox, platform, first["refresh_token"])).is_success is (platform != "twitter")


async def test_a_new_consent_outlives_the_end_of_an_older_one(sandbox: Sandbox) -> None:
    await connect(sandbox, "twitter")
    account = {"platform": "twitter", "accountId": "acc_t", "userId": "7001", "username": "tess"}
    more = account | {"accessToken": "second", "refreshToken": "second to renew"}
    assert (await sandbox.control.post("/_/accounts", json={"accounts": [more]})).status_code == 200
    await renew(sandbox, "twitter", "given to renew")
    assert not (await renew(sandbox, "twitter", "given to renew")).is_success
    assert await is_accepted(sandbox, "twitter", "second")
    assert (await renew(sandbox, "twitter", "second to renew")).is_success


@pytest.mark.parametrize(("platform", "days"), [("tiktok", 180), ("pinterest", 60)])
async def test_an_unused_refresh_token_expires(timed: Sandbox, clock: Clock, platform: str, days: int) -> None:
    await connect(timed, platform)
    first = (await renew(timed, platform, "given to renew")).json()
    clock.now += 86_400 * (days - 1)
    second = (await renew(timed, platform, first["refresh_token"])).json()
    clock.now += 86_400 * (days + 1)
    assert not (await renew(timed, platform, second["refresh_token"])).is_success


@pytest.mark.parametrize("platform", RENEWAL)
async def test_a_token_endpoint_may_not_know_the_app(sandbox: Sandbox, platform: str) -> None:
    await connect(sandbox, platform)
    body = {"platform": platform, "condition": "client_unknown"}
    assert (await sandbox.control.post("/_/conditions", json=body)).status_code == 201
    refused = await renew(sandbox, platform, "given to renew")
    assert (refused.status_code, refused.json()["error"]) == (401, "invalid_client")
    assert await is_accepted(sandbox, platform, "given"), "only renewals are refused"
    await sandbox.control.delete("/_/conditions")
    assert (await renew(sandbox, platform, "given to renew")).is_success


async def test_unknown_app_condition_needs_renewals(sandbox: Sandbox) -> None:
    body = {"platform": "mastodon", "condition": "client_unknown"}
    assert (await sandbox.control.post("/_/conditions", json=body)).status_code == 400


async def test_the_time_of_access_tokens_can_be_ended(sandbox: Sandbox) -> None:
    await connect(sandbox, "twitter")
    where = {"platform": "twitter", "accountId": "acc_t"}
    assert (await sandbox.control.delete("/_/tokens", params=where | {"only": "access"})).status_code == 200
    assert not await is_accepted(sandbox, "twitter", "given")
    renewed = (await renew(sandbox, "twitter", "given to renew")).json()
    assert await is_accepted(sandbox, "twitter", renewed["access_token"])


BACK = "https://app.example/back?from=x"
VERIFIER = "v" * 43
ASKED = {
    "response_type": "code",
    "client_id": "app",
    "redirect_uri": BACK,
    "scope": "tweet.read tweet.write users.read media.write offline.access",
    "state": "s-1",
    "code_challenge": pkce_challenge(VERIFIER),
    "code_challenge_method": "S256",
}
Query = dict[str, str]


class Platform:
    """X and an app at it."""

    def __init__(self, http: httpx.AsyncClient, clock: Clock) -> None:
        self.http = http
        self.clock = clock

    async def ask(self, **changed: str) -> httpx.Response:
        return await self.http.get("/twitter/i/oauth2/authorize", params={**ASKED, **changed})

    async def code(self, **changed: str) -> str:
        return _query(await self.ask(sandbox_as="jane", **changed))["code"]

    async def trade(self, code: str, secret: str = "s3cret", **changed: str) -> httpx.Response:
        form = {"grant_type": "authorization_code", "code": code, "redirect_uri": BACK, "code_verifier": VERIFIER}
        return await self.http.post("/twitter/2/oauth2/token", data=form | changed, auth=("app", secret))


def _query(response: httpx.Response) -> Query:
    assert response.status_code == 302, response.text
    parameters = parse_qs(urlsplit(response.headers["location"]).query)
    return {name: values[0] for name, values in parameters.items()}


@pytest.fixture
async def platform() -> AsyncIterator[Platform]:
    clock = Clock()
    async with running_sandbox(clock=clock) as (url, _), httpx.AsyncClient(base_url=url, timeout=30) as http:
        app = {"platform": "twitter", "clientId": "app", "clientSecret": "s3cret", "redirectUris": [BACK]}
        assert (await http.post("/_/apps", json=app)).status_code == 201
        yield Platform(http, clock)


async def test_a_code_is_traded_for_tokens_that_speak_for_the_person(platform: Platform) -> None:
    back = _query(await platform.ask(sandbox_as="jane"))
    assert (back["from"], back["state"]) == ("x", "s-1")
    tokens = (await platform.trade(back["code"])).json()
    assert set(tokens) == {"token_type", "expires_in", "access_token", "scope", "refresh_token"}
    headers = {"authorization": f"Bearer {tokens['access_token']}"}
    assert (await platform.http.get("/twitter/2/users/me", headers=headers)).json()["data"]["username"] == "jane"


@pytest.mark.parametrize(
    "redirect_uri", ["https://app.example/back", BACK + "/", "https://app.example/back?from=X", "https://evil.example/"]
)
async def test_an_unregistered_redirect_is_refused(platform: Platform, redirect_uri: str) -> None:
    answer = await platform.ask(redirect_uri=redirect_uri, sandbox_as="jane")
    assert answer.status_code == 400
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"code_challenge": ""}, "invalid_request"),
        ({"code_challenge_method": "plain"}, "invalid_request"),
        ({"scope": "tweet.read dm.read"}, "invalid_scope"),
        ({"response_type": "token"}, "unsupported_response_type"),
        ({"sandbox_as": "jane", "sandbox_decline": "all"}, "access_denied"),
    ],
)
async def test_an_invalid_authorization_returns_its_error_to_the_app(
    platform: Platform, changed: Query, error: str
) -> None:
    answer = _query(await platform.ask(**changed))
    assert (answer["error"], answer["state"]) == (error, "s-1")
    assert "code" not in answer


@pytest.mark.parametrize(
    "changed", [{"redirect_uri": "https://app.example/back"}, {"code_verifier": "w" * 43}, {"code_verifier": ""}]
)
async def test_wrong_exchange_uses_up_the_code(platform: Platform, changed: Query) -> None:
    code = await platform.code()
    assert (await platform.trade(code, **changed)).status_code == 400
    assert (await platform.trade(code)).status_code == 400


async def test_a_code_works_once_and_for_half_a_minute(platform: Platform) -> None:
    code, late = await platform.code(), await platform.code()
    assert (await platform.trade(code)).status_code == 200
    assert (await platform.trade(code)).json()["error_description"].endswith("authorization code was invalid.")
    platform.clock.now += 31
    assert (await platform.trade(late)).status_code == 400


async def test_a_wrong_secret_is_the_apps_fault_and_uses_nothing_up(platform: Platform) -> None:
    code = await platform.code()
    assert (await platform.trade(code, secret="wrong")).json()["error"] == "unauthorized_client"
    assert (await platform.trade(code)).status_code == 200


async def test_a_person_can_consent_as_a_new_account(platform: Platform) -> None:
    page = await platform.ask()
    assert page.status_code == 200
    assert "tweet.write" in page.text
    decision = {"username": "newcomer", "decision": "allow"}
    decided = await platform.http.post("/twitter/i/oauth2/authorize", params=ASKED, data=decision)
    assert (await platform.trade(_query(decided)["code"])).status_code == 200
    refused = await platform.http.post(
        "/twitter/i/oauth2/authorize", params=ASKED, data=decision | {"decision": "deny"}
    )
    assert _query(refused)["error"] == "access_denied"


async def test_google_lets_people_untick_single_scopes(platform: Platform) -> None:
    prefix = "https://www.googleapis.com/auth/youtube"
    back = "http://localhost:3000/back"
    asked = {
        "response_type": "code",
        "client_id": "sandbox-app",
        "redirect_uri": back,
        "scope": f"{prefix}.upload {prefix}.readonly",
        "access_type": "offline",
        "prompt": "consent",
        "sandbox_as": "jane",
        "sandbox_decline": f"{prefix}.upload",
    }
    code = _query(await platform.http.get("/youtube/o/oauth2/v2/auth", params=asked))["code"]
    form = {"grant_type": "authorization_code", "code": code, "redirect_uri": back}
    app = {"client_id": "sandbox-app", "client_secret": PLAY_SECRET}
    tokens = (await platform.http.post("/youtube/token", data={**form, **app})).json()
    assert tokens["scope"] == f"{prefix}.readonly"
    assert tokens["refresh_token"]
