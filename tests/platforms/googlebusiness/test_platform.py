"""Locations and states of posts on Google Business Profile over real HTTP."""

import secrets
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from platforms.base import Identity, Published, Refused, Unknown
from platforms.errors import ErrorKind
from platforms.googlebusiness import PLATFORM, platform
from platforms.googlebusiness.access import MOST_PAGES, call
from platforms.googlebusiness.rules import GoogleBusinessCredentials
from tests.platforms.post_steps import lost, publish, refused, refused_send
from tests.platforms.rig import Connect, Rig

SCHEDULE = {
    "startDate": {"year": 2026, "month": 1, "day": 20},
    "startTime": {"hours": 9, "minutes": 0},
    "endDate": {"year": 2026, "month": 1, "day": 21},
    "endTime": {"hours": 17, "minutes": 0},
}
EVENT = {"title": "Winter sale", "schedule": SCHEDULE}
OFFER = {"couponCode": "W26", "redeemOnlineUrl": "https://example.com/sale", "termsConditions": "While supplies last."}
BUTTON = {"type": "LEARN_MORE", "url": "https://example.com"}


@pytest.fixture(autouse=True)
def no_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "CHECK_PAUSES", (0, 0.01, 0.01))


@pytest.fixture
async def google(connect: Connect) -> Rig:
    return await at_its_location(connect)


async def at_its_location(connect: Connect) -> Rig:
    rig = await connect("googlebusiness", credentials={"refreshToken": f"1//{secrets.token_hex(8)}"})
    await PLATFORM.whoami(rig.connection())
    return rig


def named(google: Rig, number: object = 3) -> str:
    return f"accounts/1/locations/{google.account.user_id}/localPosts/{number}"


async def test_whoami_finds_the_location_and_keeps_where_it_is(connect: Connect) -> None:
    rig = await connect("googlebusiness")
    assert await PLATFORM.whoami(rig.connection()) == Identity(rig.account.user_id, rig.account.username)
    assert rig.stored.user_id == rig.account.user_id
    assert rig.stored.account_id.startswith("1")
    assert (await PLATFORM.whoami(rig.connection())).user_id == rig.account.user_id


LOCATIONS = [{"name": "locations/5", "title": "Cafe"}, {"name": "locations/6", "title": "Bar"}]


@pytest.mark.parametrize(
    ("account", "location", "locations", "code"),
    [
        (None, None, LOCATIONS, "several_locations"),
        (None, "locations/6", LOCATIONS, None),
        ("accounts/9", "6", LOCATIONS, None),
        ("accounts/8", "6", LOCATIONS, "no_location"),
        (None, "7", LOCATIONS, "no_location"),
        (None, None, [], "no_location"),
        (None, None, LOCATIONS[:1], None),
    ],
)
async def test_one_of_several_locations_must_be_named(
    connect: Connect, account: str | None, location: str | None, locations: list[dict[str, str]], code: str | None
) -> None:
    place = {name: value for name, value in (("accountId", account), ("locationId", location)) if value}
    rig = await connect("googlebusiness", credentials=place)
    accounts = {"accounts": [{"name": "accounts/9"}]}
    await rig.sandbox.fault("googlebusiness", "reject", "auth", status=200, body=accounts)
    await rig.sandbox.fault("googlebusiness", "reject", "auth", status=200, body={"locations": locations})
    if code is None:
        who = await PLATFORM.whoami(rig.connection())
        assert (rig.stored.account_id, rig.stored.user_id) == ("9", who.user_id)
        return
    error = await refused(PLATFORM.whoami(rig.connection()))
    assert (error.kind, error.code) == (ErrorKind.AUTH, code)
    if code == "several_locations":
        assert "locations/5 (Cafe), locations/6 (Bar)" in error.message


async def test_places_are_read_page_by_page_and_not_without_end(connect: Connect) -> None:
    rig = await connect("googlebusiness", credentials={"locationId": "6"})
    pages = [
        {"accounts": [{"name": "accounts/9"}], "nextPageToken": "a"},
        {"accounts": []},
        {"locations": LOCATIONS[:1], "nextPageToken": "b"},
        {"locations": LOCATIONS[1:]},
    ]
    for page in pages:
        await rig.sandbox.fault("googlebusiness", "reject", "auth", status=200, body=page)
    assert (await PLATFORM.whoami(rig.connection())).username == "Bar"
    endless = {"nextPageToken": "a"}
    await rig.sandbox.fault("googlebusiness", "reject", "auth", status=200, body=endless, times=MOST_PAGES)
    rig.stored = rig.stored.model_copy(update={"account_id": None})
    assert (await refused(PLATFORM.whoami(rig.connection()))).code == "no_location"


@pytest.mark.parametrize(
    ("account", "post", "sent"),
    [(None, None, "en"), ("de", None, "de"), ("de", "fr", "fr"), (None, "zh-Hant", "zh-Hant")],
)
async def test_a_post_is_in_its_own_language_else_in_its_accounts(
    connect: Connect, account: str | None, post: str | None, sent: str
) -> None:
    rig = await connect("googlebusiness", credentials={"languageCode": account} if account else {})
    published = await publish(rig, rig.context("Hallo", settings={"languageCode": post} if post else {}))
    body = await call(rig.connection(), "GET", f"/v4/{published.platform_post_id}")
    assert body["languageCode"] == sent


async def test_the_details_of_a_place_are_requested_once(connect: Connect) -> None:
    rig = await connect("googlebusiness")
    await publish(rig, rig.context("One"))
    before = len(await rig.operations())
    await publish(rig, rig.context("Two"))
    assert (await rig.operations())[before:] == ["publish"]


async def test_another_location_of_the_account_can_be_named(google: Rig) -> None:
    await publish(google, google.context("Hi", settings={"locationId": f"locations/{google.account.user_id}"}))
    error = await refused(PLATFORM.publish(google.connection(), google.context("Hi", settings={"locationId": "7"})))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "no_location")
    assert "locationId" in error.message


async def test_of_equal_posts_the_earliest_since_the_send_is_found_in_any_order(google: Rig) -> None:
    started = datetime.now(UTC)
    posts = [{"name": named(google, 4), "summary": "Hi"}]
    for number, seconds in ((1, 300), (2, 1), (3, 50)):
        made_at = (started + timedelta(seconds=seconds)).isoformat()
        posts.append({"name": named(google, number), "summary": "Hi", "createTime": made_at, "state": "LIVE"})
    await google.sandbox.fault("googlebusiness", "reject", "confirm", status=200, body={"localPosts": posts})
    context = google.context("Hi", started_at=started)
    assert await PLATFORM.confirm(google.connection(), context) == Published(named(google, 2), None)


async def says(google: Rig, operation: str, state: str, **more: Any) -> None:
    body = {"name": named(google), "state": state, **more}
    await google.sandbox.fault("googlebusiness", "reject", operation, status=200, body=body)


async def test_a_post_is_watched_until_google_shows_it(google: Rig) -> None:
    await says(google, "publish", "PROCESSING")
    await says(google, "confirm", "PROCESSING")
    await google.sandbox.fault("googlebusiness", "reject", "confirm", status=503)
    await says(google, "confirm", "LIVE", searchUrl="https://g.example/3")
    shown = await publish(google, google.context("Hi"))
    assert shown == Published(named(google), "https://g.example/3")


async def test_a_post_that_google_still_checks_is_unconfirmed(google: Rig) -> None:
    context = google.context("Hi", started_at=datetime.now(UTC))
    await says(google, "publish", "PROCESSING")
    for _ in range(len(platform.CHECK_PAUSES) + 1):
        await says(google, "confirm", "PROCESSING")
    error = await refused_send(google, context)
    assert (error.kind, error.code) == (ErrorKind.UNCONFIRMED, "processing")
    resumed = google.context("Hi", started_at=context.started_at, handles=google.saved[-1])
    assert await PLATFORM.confirm(google.connection(), resumed) == Unknown()
    await says(google, "confirm", "LIVE", searchUrl="https://g.example/3")
    assert await PLATFORM.confirm(google.connection(), resumed) == Published(named(google), "https://g.example/3")


async def test_an_address_may_come_later(google: Rig) -> None:
    context = google.context("Hi")
    await says(google, "publish", "LIVE")
    published = await PLATFORM.publish(google.connection(), context)
    assert published == Published(named(google), None)
    for state, more, url in (
        ("REJECTED", {}, None),
        ("LIVE", {"searchUrl": "https://g.example/3"}, "https://g.example/3"),
    ):
        await says(google, "confirm", state, **more)
        assert await PLATFORM.complete(google.connection(), context, published) == Published(named(google), url)
    shown = Published(named(google), "https://g.example/3")
    assert await PLATFORM.complete(google.connection(), context, shown) is shown


async def test_a_post_that_google_rejects_is_refused_whenever_it_says_so(google: Rig) -> None:
    context = google.context("Hi", started_at=datetime.now(UTC))
    await says(google, "publish", "REJECTED")
    assert (await refused_send(google, context)).code == "rejected"
    await says(google, "publish", "PROCESSING")
    await says(google, "confirm", "REJECTED")
    error = await refused_send(google, context)
    assert (error.kind, error.code) == (ErrorKind.REJECTED, "rejected")
    await says(google, "confirm", "REJECTED")
    finding = await PLATFORM.confirm(google.connection(), context)
    assert isinstance(finding, Refused)
    assert (finding.error.kind, "does not show it" in finding.error.message) == (ErrorKind.REJECTED, True)


async def test_a_post_that_was_lost_and_then_rejected_is_refused(google: Rig) -> None:
    context = google.context("Call +1 555 0100")
    assert (await lost(google, context, "accept_then_drop")).kind is ErrorKind.UNCONFIRMED
    assert isinstance(await PLATFORM.confirm(google.connection(), context), Refused)


def test_names_may_be_written_whole_or_as_numbers() -> None:
    for account, location in (("accounts/111", "locations/222"), ("111", "222"), ("111", "accounts/111/locations/222")):
        credentials = {"accessToken": "t", "accountId": account, "locationId": location}
        read = GoogleBusinessCredentials.model_validate(credentials)
        assert (read.account_id, read.user_id) == ("111", "222")
    for wrong in ({"locationId": "Cafe"}, {"accountId": "locations/1"}, {"locationId": "../1"}):
        with pytest.raises(ValidationError):
            GoogleBusinessCredentials.model_validate({"accessToken": "t", **wrong})


@pytest.mark.parametrize("condition", ["organisation", "unlisted_account"])
async def test_a_location_that_several_accounts_list_is_one_location(connect: Connect, condition: str) -> None:
    rig = await connect("googlebusiness", credentials={"refreshToken": f"1//{secrets.token_hex(8)}"})
    await rig.sandbox.switch_on("googlebusiness", condition, rig.account.account_id)
    assert (await PLATFORM.whoami(rig.connection())).user_id == rig.account.user_id
    assert rig.stored.account_id not in {"201", "202", "203"}, "the user's own account goes before groups"
    result = await publish(rig, rig.context("Found once"))
    assert result.url


@pytest.mark.parametrize("state", ["SCHEDULED", "LOCAL_POST_STATE_UNSPECIFIED", None])
async def test_only_a_state_that_shows_the_post_is_believed(google: Rig, state: str | None) -> None:
    context = google.context("Soon")
    published = await publish(google, context)
    body = {"name": published.platform_post_id, **({"state": state} if state else {})}
    await google.sandbox.fault("googlebusiness", "reject", "confirm", status=200, body=body)
    assert await PLATFORM.confirm(google.connection(), context) == Unknown()


async def test_a_location_of_another_group_is_posted_on_as_that_group(google: Rig) -> None:
    await google.sandbox.switch_on("googlebusiness", "other_group", google.account.account_id)
    context = google.context("In the other shop", settings={"locationId": "locations/777"})
    published = await publish(google, context)
    assert published.platform_post_id.startswith("accounts/204/locations/777/localPosts/")
    assert google.stored.user_id == google.account.user_id, "the account's own location stays"
    before = await google.operations()
    again = google.context("Again there", settings={"locationId": "locations/777"}, handles=google.saved[-1])
    again.handles.pop("post")
    await publish(google, again)
    assert (await google.operations())[len(before) :] == ["publish"], "where it is was asked once"


@pytest.mark.parametrize(
    "body",
    [{"error": {"code": 401, "status": "UNAUTHENTICATED"}}, {"localPosts": None}, {"localPosts": {}}, {"posts": []}],
)
async def test_an_answer_without_a_list_is_not_taken_for_an_empty_one(google: Rig, body: dict[str, Any]) -> None:
    context = google.context("Public")
    await lost(google, context)
    await google.sandbox.fault("googlebusiness", "accept_then_answer", "confirm", status=200, body=body)
    error = await refused(PLATFORM.confirm(google.connection(), context))
    assert (error.kind, error.code) == (ErrorKind.TRANSIENT, "unreadable_answer")
