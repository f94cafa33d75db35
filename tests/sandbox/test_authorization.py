"""The platforms' authorization servers: what they refuse, and what a person may decide."""

from collections.abc import AsyncIterator
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from sandbox.authorization import PLAY_SECRET, pkce_challenge
from sandbox.server import running_sandbox
from tests.sandbox.conftest import Clock

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
