"""Errors that X would report are found before anything is sent."""

from typing import Any

import pytest

from domain.post import Media, MediaType
from platforms.base import AccountFacts, Draft
from platforms.rules import Violation
from platforms.twitter import PLATFORM
from platforms.twitter.settings import TwitterSettings

FREE = AccountFacts("tw_1", "1", "free")
PREMIUM = AccountFacts("tw_2", "2", "premium", premium=True)
POLL = {"options": ["Yes", "No"], "durationMinutes": 60}


def media(kind: MediaType, count: int = 1) -> tuple[Media, ...]:
    return tuple(Media(type=kind, url=f"https://cdn.example.com/{index}") for index in range(count))


def check(
    text: str = "text", items: tuple[Media, ...] = (), account: AccountFacts = FREE, **settings: Any
) -> list[Violation]:
    return PLATFORM.check(Draft(text, items, TwitterSettings.model_validate(settings)), account)


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
def test_settings_that_exclude_each_other_are_refused(
    items: tuple[Media, ...], settings: dict[str, Any], path: tuple[str, ...]
) -> None:
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
