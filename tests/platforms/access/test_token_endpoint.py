"""Only a rejection of an account's own token asks its owner to reconnect, whatever a token endpoint responds."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import httpx
import pytest
from pydantic import SecretStr

from platforms.access.oauth import TOKEN_RENEWED
from platforms.access.renewal import Lifetimes, Renewed, Renews, reported_lifetimes
from platforms.base import AccountFacts, Connection
from platforms.errors import ErrorKind, PlatformError
from platforms.http.wire import Wire
from platforms.pinterest import PLATFORM
from platforms.registry import platforms
from tests.platforms.forms import FORMS, Form, quick
from tests.platforms.post_steps import publish, refused
from tests.platforms.rig import Connect, Rig, Through

RENEWED = {"access_token": "new", "refresh_token": "newer", "expires_in": 7200}
BY_REFRESH_TOKEN = ["googlebusiness", "linkedin", "pinterest", "reddit", "tiktok", "twitter", "youtube"]
BY_ITSELF = ["instagram", "threads"]

DEAD: dict[str, list[tuple[int, Any]]] = {
    "googlebusiness": [(400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."})],
    "linkedin": [(400, {"error": "invalid_grant"})],
    "pinterest": [(401, {"code": 283, "message": "Invalid."}), (400, {"error": "invalid_grant"})],
    "reddit": [(400, {"error": "invalid_request"}), (200, {"error": "invalid_grant"})],
    "tiktok": [(200, {"error": "invalid_grant", "log_id": "1"}), (400, {"error": "invalid_grant", "log_id": "1"})],
    "twitter": [
        (400, {"error": "invalid_request", "error_description": "Value passed for the token was invalid."}),
        (400, {"error": "invalid_grant"}),
    ],
    "youtube": [(400, {"error": "invalid_grant"})],
    "instagram": [(400, {"error": {"code": 190, "error_subcode": 463, "message": "Session has expired"}})],
    "threads": [(400, {"error": {"code": 190, "message": "Error validating access token"}})],
}

PAGE = "<html><body>Bad gateway</body></html>"
NOT_THE_ACCOUNTS: list[tuple[int, Any, ErrorKind | None]] = [
    (401, {"error": "invalid_client"}, ErrorKind.OPERATOR),
    (400, {"error": "invalid_client"}, ErrorKind.OPERATOR),
    (
        401,
        {"error": "unauthorized_client", "error_description": "Missing valid authorization header"},
        ErrorKind.OPERATOR,
    ),
    (400, {"error": "invalid_scope"}, ErrorKind.OPERATOR),
    (401, PAGE, ErrorKind.OPERATOR),
    (401, "", ErrorKind.OPERATOR),
    (400, {"error": "temporarily_unavailable"}, ErrorKind.TRANSIENT),
    (400, {"error": "server_error"}, ErrorKind.TRANSIENT),
    (400, {"error": "unheard_of"}, ErrorKind.TRANSIENT),
    (403, PAGE, None),
    (404, PAGE, None),
    (429, {"error": "slow_down"}, None),
    (429, PAGE, None),
    (500, PAGE, ErrorKind.TRANSIENT),
    (502, PAGE, ErrorKind.TRANSIENT),
    (503, {"error": "temporarily_unavailable"}, ErrorKind.TRANSIENT),
    (200, PAGE, ErrorKind.TRANSIENT),
    (200, {}, ErrorKind.TRANSIENT),
    (200, {"access_token": ""}, ErrorKind.TRANSIENT),
    (200, {"access_token": ["a"]}, ErrorKind.TRANSIENT),
]
"""Status, body and the expected kind of error; None if every kind except `auth` is right."""


async def renewal(name: str, status: int, body: Any, asked: list[httpx.Request] | None = None) -> Renewed[Any]:
    """Renew an account whose token endpoint sends this response."""
    platform = platforms()[name]

    def answer(request: httpx.Request) -> httpx.Response:
        if asked is not None:
            asked.append(request)
        return httpx.Response(status, text=body) if isinstance(body, str) else httpx.Response(status, json=body)

    async def never(*_: object) -> Any:
        raise AssertionError("a renewal neither refreshes nor keeps anything by itself")

    credentials = {"accessToken": "old", "clientId": "app", "clientSecret": "quiet"}
    if name in BY_REFRESH_TOKEN:
        credentials["refreshToken"] = "used once"
    transport, domains = httpx.MockTransport(answer), platform.own_domains
    wire = Wire(transport, platform.base_url, platform.label, platform.read_error, domains=domains)
    connection = Connection(
        wire, AccountFacts("", "", ""), platform.credentials.model_validate(credentials), never, never
    )
    return await cast("Renews[Any]", platform).renew(connection)


@pytest.mark.parametrize("platform", BY_REFRESH_TOKEN + BY_ITSELF)
async def test_renewed_tokens_have_the_reported_lifetimes(platform: str) -> None:
    renewed = await renewal(platform, 200, RENEWED | {"scope": "read, write read"})
    assert renewed.credentials.access_token.get_secret_value() == "new"
    assert renewed.lifetimes is not None
    assert renewed.lifetimes.scopes == ("read", "write")
    ends = renewed.lifetimes.expires_at
    assert ends is not None
    assert timedelta(minutes=118) < ends - datetime.now(UTC) <= timedelta(hours=2)
    if platform in BY_REFRESH_TOKEN:
        assert renewed.credentials.refresh_token.get_secret_value() == "newer"
        unrotated = await renewal(platform, 200, {"access_token": "new"})
        assert unrotated.credentials.refresh_token == SecretStr("used once"), "it stays if no other comes"


@pytest.mark.parametrize(
    ("platform", "status", "body"), [(platform, *row) for platform, rows in DEAD.items() for row in rows]
)
async def test_a_refused_token_is_an_error_of_the_account(platform: str, status: int, body: Any) -> None:
    with pytest.raises(PlatformError) as raised:
        await renewal(platform, status, body)
    assert raised.value.kind is ErrorKind.AUTH


@pytest.mark.parametrize("platform", BY_REFRESH_TOKEN + BY_ITSELF)
async def test_no_other_refusal_disconnects_an_account(platform: str) -> None:
    for status, body, kind in NOT_THE_ACCOUNTS:
        with pytest.raises(PlatformError) as raised:
            await renewal(platform, status, body)
        assert raised.value.kind not in {ErrorKind.AUTH, ErrorKind.REJECTED}, (status, body)
        assert kind in {None, raised.value.kind}, (status, body)


async def test_an_invalid_renewal_at_x_is_not_taken_for_a_dead_token() -> None:
    wrong = {"error": "invalid_request", "error_description": "Missing required parameter [grant_type]."}
    with pytest.raises(PlatformError) as raised:
        await renewal("twitter", 400, wrong)
    assert raised.value.kind is ErrorKind.TRANSIENT


@pytest.mark.parametrize("platform", BY_ITSELF)
async def test_a_token_stands_in_the_address_only_if_the_header_is_refused(platform: str) -> None:
    asked: list[httpx.Request] = []
    await renewal(platform, 200, RENEWED, asked)
    assert [b"old" in request.url.query for request in asked] == [False]
    with pytest.raises(PlatformError):
        await renewal(platform, 400, {"error": {"code": 100, "message": "access_token is required"}}, asked)
    assert [b"old" in request.url.query for request in asked] == [False, False, True]


@pytest.mark.parametrize("platform", BY_REFRESH_TOKEN + BY_ITSELF)
async def test_no_secret_is_in_an_error(platform: str) -> None:
    with pytest.raises(PlatformError) as raised:
        await renewal(platform, 400, {"error": "unheard_of", "error_description": "old, used once, quiet"})
    texts = f"{raised.value!r} {raised.value} {raised.value.message} {raised.value.code}"
    assert not any(secret in texts for secret in ("old,", "used once", "quiet"))


@pytest.mark.parametrize(
    "answer",
    [
        {"expires_in": "soon", "scope": 5, "refresh_token_expires_at": "x"},
        {"expires_in": -1},
        {"expires_in": None, "refresh_expires_in": []},
        {"expires_in": True},
        {"expires_in": "9" * 400},
    ],
)
def test_invalid_numbers_are_ignored(answer: dict[str, Any]) -> None:
    assert reported_lifetimes(answer) == Lifetimes()


def test_a_lifetime_beyond_ten_years_is_cut_to_ten_years() -> None:
    ends = reported_lifetimes({"expires_in": 10**15}).expires_at
    assert ends is not None
    assert ends < datetime.now(UTC) + timedelta(days=3661)


@pytest.mark.parametrize(
    ("answer", "scopes"),
    [
        ({"scope": "a b,c"}, ("a", "b", "c")),
        ({"permissions": ["x", "y"]}, ("x", "y")),
        ({"scope": ""}, ()),
        ({"scope": "a" * 10_000}, ("a" * 200,)),
        ({"scope": " ".join(map(str, range(10_000)))}, None),
    ],
)
def test_scopes_are_read_and_bounded(answer: dict[str, Any], scopes: tuple[str, ...] | None) -> None:
    granted = reported_lifetimes(answer).scopes
    assert granted is not None
    assert len(granted) <= 100
    assert scopes in {None, granted}


def test_a_renewal_begins_in_the_second_half_of_the_lifetime() -> None:
    """Otherwise a token that is renewed as soon as it is issued would be renewed at every use."""
    for platform in platforms().values():
        if isinstance(platform, Renews):
            rules = platform.tokens
            assert rules.lead < rules.lifetime / 2
            assert (
                rules.renew_after is None
                or rules.refresh_lifetime is None
                or rules.renew_after < rules.refresh_lifetime / 2
            )
            assert not rules.renews_itself or (
                rules.renew_after is not None and rules.renew_after <= rules.lifetime / 2
            )


@pytest.fixture
async def rig(connect: Connect) -> Rig:
    rig = await connect("pinterest", credentials={"refreshToken": "oauth-once", "clientId": "app"})
    rig.stored = rig.stored.model_copy(update={"access_token": SecretStr("of yesterday")})
    return rig


async def test_requests_beside_each_other_renew_once(rig: Rig) -> None:
    connection = rig.connection()
    before = len(await rig.operations())
    answers = await asyncio.gather(*(PLATFORM.whoami(connection) for _ in range(3)))
    assert {answer.user_id for answer in answers} == {rig.account.user_id}
    # Three refused requests, one renewal, and three repeated requests.
    assert len(await rig.operations()) == before + 7
    assert connection.credentials is rig.stored


async def test_a_refresh_token_stays_where_no_other_comes(rig: Rig) -> None:
    async def refuse(request: httpx.Request) -> None:
        if request.url.path.endswith("/oauth/token"):
            await rig.sandbox.fault("pinterest", "reject", "auth", status=200, body={"access_token": "another"})

    async with httpx.AsyncClient(event_hooks={"request": [refuse]}) as client:
        with pytest.raises(PlatformError) as caught:
            await PLATFORM.whoami(rig.connection(client))
    assert caught.value.kind is ErrorKind.AUTH
    assert rig.stored.access_token.get_secret_value() == "another"
    assert rig.stored.refresh_token.get_secret_value() == "oauth-once"


async def test_a_sandbox_stands_in_for_every_host_of_a_platform(rig: Rig) -> None:
    def wire(base_url: str) -> Wire:
        return Wire(Through(rig.sandbox.client), base_url, "X", PLATFORM.read_error)

    for path in ("", "/token"):
        assert wire("https://api.a").address("https://api.a", f"https://www.a{path}") == f"https://www.a{path}"
        assert wire("http://sandbox/a").address("https://api.a", f"https://www.a{path}") == f"http://sandbox/a{path}"


__all__ = ["quick"]

RENEWING = [
    name
    for name, platform in platforms().items()
    if isinstance(platform, Renews) and not platform.tokens.renews_itself and name != "bluesky"
]
"""Platforms of which an access token is renewed by a refresh token. Bluesky's sessions have tests of their own."""
USED_ONCE = {"pinterest", "tiktok", "twitter"}
"""Platforms of which each renewal brings another refresh token."""
RENEWED_EARLY = {"tiktok", "youtube"}
"""Platforms that are asked something else before the public request, so that the token is renewed then."""
YESTERDAY = SecretStr("a token of yesterday")


def choose_form(name: str) -> Form:
    """Return a simple form of post that is published by one public request."""
    return {form.platform: form for form in reversed(FORMS)}[name]


async def with_old_token(connect: Connect, name: str, refresh_token: str | None) -> Rig:
    """Connect an account whose access token has ended."""
    app = {"clientId": "app", "clientSecret": "app-s3cret"}
    rig = await connect(name, credentials={"refreshToken": refresh_token, **app} if refresh_token else {})
    if name == "googlebusiness":
        await rig.platform.whoami(rig.connection())
    rig.stored = rig.stored.model_copy(update={"access_token": YESTERDAY})
    return rig


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("name", RENEWING)
async def test_an_expired_token_is_renewed_once(connect: Connect, name: str) -> None:
    rig = await with_old_token(connect, name, f"once-{name}")
    old, before = rig.stored, len(await rig.operations())
    context = choose_form(name).context(rig)
    if name not in RENEWED_EARLY:
        # A public request is not repeated in the same step.
        assert (await refused(publish(rig, context))).code == TOKEN_RENEWED
    await publish(rig, context)
    assert (await rig.operations())[before:].count("auth") == 1
    assert len(await rig.posts()) == 1
    assert rig.stored.access_token != old.access_token
    assert (rig.stored.refresh_token != old.refresh_token) is (name in USED_ONCE)
    assert (rig.stored.client_id, rig.stored.client_secret) == (old.client_id, old.client_secret)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("refresh_token", [None, "s3cret-of-another"])
@pytest.mark.parametrize("name", RENEWING)
async def test_a_token_that_cannot_be_renewed_must_be_replaced(
    connect: Connect, name: str, refresh_token: str | None
) -> None:
    rig = await with_old_token(connect, name, refresh_token and f"known-{name}")
    if refresh_token:
        rig.stored = rig.stored.model_copy(update={"refresh_token": SecretStr(refresh_token)})
    error = await refused(publish(rig, choose_form(name).context(rig)))
    assert error.kind is ErrorKind.AUTH
    assert await rig.posts() == []
    shown = f"{error!r}{vars(error)!r}{error.__cause__!r}{rig.connection()!r}"
    assert not [secret for secret in ("s3cret", YESTERDAY.get_secret_value()) if secret in shown]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("status", [200, 503])
@pytest.mark.parametrize("name", RENEWING)
async def test_a_renewal_that_fails_sends_nothing(connect: Connect, name: str, status: int) -> None:
    rig = await with_old_token(connect, name, f"failing-{name}-{status}")
    await rig.sandbox.fault(name, "reject", "auth", status=status, body={})
    error = await refused(publish(rig, choose_form(name).context(rig)))
    assert error.kind is ErrorKind.TRANSIENT
    assert await rig.posts() == []
