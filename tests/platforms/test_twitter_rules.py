"""Errors that X would report are found before anything is sent."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.post import Media, MediaType
from platforms.base import AccountFacts, Draft
from platforms.registry import platforms
from platforms.rules import Violation
from platforms.twitter import PLATFORM
from platforms.twitter.settings import TwitterCredentials, TwitterSettings

FREE = AccountFacts("tw_1", "1", "free")
PREMIUM = AccountFacts("tw_2", "2", "premium", premium=True)
POLL = {"options": ["Yes", "No"], "durationMinutes": 60}


def media(kind: MediaType, count: int = 1) -> tuple[Media, ...]:
    return tuple(Media(type=kind, url=f"https://cdn.example.com/{index}") for index in range(count))


def check(
    text: str = "text", items: tuple[Media, ...] = (), account: AccountFacts = FREE, **settings: Any
) -> list[Violation]:
    return PLATFORM.check(Draft(text, items, TwitterSettings.model_validate(settings)), account)


def test_the_registry_lists_the_platform() -> None:
    assert platforms()["twitter"] is PLATFORM


@pytest.mark.parametrize(
    ("text", "account", "fits"),
    [
        ("x" * 280, FREE, True),
        ("x" * 281, FREE, False),
        ("日" * 140, FREE, True),
        ("日" * 141, FREE, False),
        ("https://example.com/" + "x" * 400, FREE, True),
        ("x" * 25_000, PREMIUM, True),
        ("x" * 25_001, PREMIUM, False),
    ],
)
def test_the_length_of_a_text(text: str, account: AccountFacts, fits: bool) -> None:
    found = check(text, account=account)
    assert (found == []) is fits
    assert {violation.part for violation in found} <= {"content"}


def test_too_long_is_said_in_numbers() -> None:
    [violation] = check("日" * 150)
    assert violation.error == "X allows 280 weighted characters; this has 300"


@pytest.mark.parametrize(
    ("items", "fits"),
    [
        (media(MediaType.IMAGE, 4), True),
        (media(MediaType.IMAGE, 5), False),
        (media(MediaType.GIF), True),
        (media(MediaType.GIF, 2), False),
        (media(MediaType.VIDEO), True),
        (media(MediaType.VIDEO, 2), False),
        (media(MediaType.IMAGE) + media(MediaType.VIDEO), False),
        (media(MediaType.IMAGE) + media(MediaType.GIF), False),
    ],
)
def test_the_media_of_a_post(items: tuple[Media, ...], fits: bool) -> None:
    found = check("", items)
    assert (found == []) is fits
    assert {violation.part for violation in found} <= {"mediaItems"}


@pytest.mark.parametrize("text", ["", "  \n"])
def test_a_post_says_or_shows_something(text: str) -> None:
    [violation] = check(text)
    assert violation.part == "content"


def test_alt_texts_have_a_limit() -> None:
    item = Media(type=MediaType.IMAGE, url="https://cdn.example.com/a", alt_text="x" * 1000)
    assert check("", (item,)) == []
    [violation] = check("", (item.model_copy(update={"alt_text": "x" * 1001}),))
    assert violation.part == "mediaItems"


@pytest.mark.parametrize(
    ("items", "settings", "path"),
    [
        (media(MediaType.IMAGE), {"poll": POLL}, ("poll",)),
        (media(MediaType.IMAGE), {"quoteTweetId": "1"}, ("quoteTweetId",)),
        ((), {"poll": POLL, "quoteTweetId": "1"}, ("quoteTweetId",)),
    ],
)
def test_what_does_not_go_together(items: tuple[Media, ...], settings: dict[str, Any], path: tuple[str, ...]) -> None:
    [violation] = check("text", items, **settings)
    assert (violation.part, violation.path) == ("platformSpecificData", path)


@pytest.mark.parametrize(
    ("item", "account", "part"),
    [
        ({"content": "日" * 140}, FREE, None),
        ({"content": "日" * 141}, FREE, "content"),
        ({"content": "日" * 141}, PREMIUM, None),
        ({"content": " "}, FREE, "content"),
        ({"mediaItems": [{"type": "image", "url": "https://cdn.example.com/a"}] * 4}, FREE, None),
        ({"mediaItems": [{"type": "image", "url": "https://cdn.example.com/a"}] * 5}, FREE, "mediaItems"),
        (
            {"mediaItems": [{"type": "image", "url": "https://cdn.example.com/a", "altText": "x" * 1001}]},
            FREE,
            "mediaItems",
        ),
    ],
)
def test_every_post_of_a_thread_is_held_against_the_rules(
    item: dict[str, Any], account: AccountFacts, part: str | None
) -> None:
    found = check(threadItems=[{"content": "fits"}, item], account=account)
    assert [(each.part, each.path) for each in found] == (
        [("platformSpecificData", ("threadItems", 1, part))] if part else []
    )


def test_too_long_in_a_thread_is_said_in_numbers() -> None:
    [violation] = check(threadItems=[{"content": "日" * 150}])
    assert violation.error == "X allows 280 weighted characters; this has 300"


def test_a_poll_goes_with_a_thread() -> None:
    assert check(poll=POLL, threadItems=[{"content": "Why we ask:"}]) == []


def test_settings_by_the_names_of_the_contract_and_of_its_family() -> None:
    ours = TwitterSettings.model_validate({"poll": POLL})
    family = TwitterSettings.model_validate({"poll": {"options": ["Yes", "No"], "duration_minutes": 60}})
    assert ours == family
    assert ours.model_dump(by_alias=True, exclude_none=True)["poll"] == POLL


@pytest.mark.parametrize(
    "settings",
    [
        {"poll": {**POLL, "options": ["Only"]}},
        {"poll": {**POLL, "options": ["1", "2", "3", "4", "5"]}},
        {"poll": {**POLL, "options": ["Yes", ""]}},
        {"poll": {**POLL, "options": ["Yes", "x" * 26]}},
        {"poll": {**POLL, "durationMinutes": 4}},
        {"poll": {**POLL, "durationMinutes": 10_081}},
        {"replyToTweetId": "https://x.com/i/status/1"},
        {"quoteTweetId": "12345678901234567890"},
        {"replySettings": "everyone"},
        {"threadItems": [{"text": "not its name"}]},
        {"threadItems": [{"content": "one of too many"}] * 25},
    ],
)
def test_settings_that_x_does_not_know(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TwitterSettings.model_validate(settings)


def test_every_setting_is_described_with_an_example() -> None:
    for model in (TwitterSettings, TwitterSettings.model_json_schema()["$defs"]["Poll"]):
        schema = model if isinstance(model, dict) else model.model_json_schema()
        for name, setting in schema["properties"].items():
            assert setting.get("description"), name
            assert setting.get("examples") or name == "poll", name


def test_credentials_show_no_secret() -> None:
    given = {"accessToken": "secret-1", "refreshToken": "secret-2", "clientId": "app", "clientSecret": "secret-3"}
    assert "secret-" not in repr(TwitterCredentials.model_validate(given))
    with pytest.raises(ValidationError) as caught:
        TwitterCredentials.model_validate({**given, "accessToken": 1, "other": "secret-4"})
    assert "secret-" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("buy $TSLA", True),
        ("$TSLA and $AAPL", False),
        ("$TSLA,\n$AAPL!", False),
        ("$BRK.A or $BRK.B", False),
        ("$TSLA, and again $tsla", True),
        ("$5 and $10 for $TSLA", True),
        ("a$TSLA $AAPL", True),
        ("($TSLA) $AAPL", True),
        ("$TOOLONGNAME $AAPL", True),
    ],
)
def test_a_post_has_one_cashtag_at_most(text: str, fits: bool) -> None:
    found = [each for each in check(text) if "cashtag" in each.error]
    assert (found == []) is fits
    in_thread = [each for each in check(threadItems=[{"content": text}]) if "cashtag" in each.error]
    assert (in_thread == []) is fits
