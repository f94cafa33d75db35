"""Google Business Profile's limits from both sides, and the requirements of each kind of post."""

from typing import Any

import pytest

from platforms.base import AccountFacts
from platforms.googlebusiness import PLATFORM
from tests.platforms.drafts import draft
from tests.platforms.googlebusiness.test_platform import BUTTON, EVENT, OFFER

ACCOUNT = AccountFacts("gb_1", "1", "Cafe")


def broken(text: str, media: str = "", **settings: Any) -> list[tuple[str, str]]:
    found = PLATFORM.check(draft("googlebusiness", text, media, **settings), ACCOUNT)
    return [(each.part, ".".join(map(str, each.path)) or each.error) for each in found]


@pytest.mark.parametrize("media", ["", "i"])
@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"topicType": "STANDARD", "callToAction": BUTTON},
        {"callToAction": {"type": "CALL"}},
        {"event": EVENT, "callToAction": BUTTON},
        {"topicType": "EVENT", "event": EVENT},
        {"event": EVENT, "offer": OFFER},
        {"topicType": "OFFER", "event": EVENT},
        {"languageCode": "zh-Hant", "locationId": "locations/5"},
    ],
)
def test_valid_drafts_are_accepted(media: str, settings: dict[str, Any]) -> None:
    assert broken("Hi", media, **settings) == []


@pytest.mark.parametrize(
    "number", ["+1 555 123 4567", "+49 30 1234567", "(555) 123-4567", "555-123-4567", "555.123.4567"]
)
def test_no_telephone_numbers(number: str) -> None:
    assert [part for part, _ in broken(f"Call {number} now")] == ["content"]


@pytest.mark.parametrize(
    "text",
    ["2026-01-15", "1.000.000 visitors", "From 10.00-18.30", "Room 123-456", "+100 %", "C++ 2026", "IBAN 123456789012"],
)
def test_other_numbers_may_stand(text: str) -> None:
    assert broken(text) == []


@pytest.mark.parametrize(
    ("settings", "path"),
    [
        ({"event": EVENT, "offer": OFFER, "callToAction": BUTTON}, "callToAction"),
        ({"topicType": "EVENT"}, "event"),
        ({"topicType": "OFFER"}, "event"),
        ({"offer": OFFER}, "event"),
        ({"topicType": "STANDARD", "event": EVENT}, "event"),
        ({"topicType": "EVENT", "event": EVENT, "offer": OFFER}, "offer"),
        ({"topicType": "STANDARD", "offer": OFFER}, "offer"),
    ],
)
def test_settings_that_do_not_go_together(settings: dict[str, Any], path: str) -> None:
    assert broken("Hi", **settings) == [("platformSpecificData", path)]


def test_photos_of_less_than_10_kb_are_refused_before_google_is_asked() -> None:
    [rule] = PLATFORM.rules.files
    assert rule.min_bytes == 10_000
