"""Google Business Profile's limits from both sides, and the requirements of each kind of post."""

from typing import Any

import pytest
from pydantic import ValidationError

from domain.post import Media, MediaType
from platforms.base import AccountFacts, Draft
from platforms.googlebusiness import PLATFORM
from platforms.googlebusiness.settings import GoogleBusinessSettings
from tests.platforms.test_googlebusiness import BUTTON, EVENT, OFFER, SCHEDULE

ACCOUNT = AccountFacts("gb_1", "1", "Cafe")
KINDS = {"i": MediaType.IMAGE, "v": MediaType.VIDEO, "g": MediaType.GIF}


def broken(text: str, media: str = "", **settings: Any) -> list[tuple[str, str]]:
    items = tuple(Media(type=KINDS[kind], url="https://cdn.example.com/a") for kind in media)
    draft = Draft(text, items, GoogleBusinessSettings.model_validate(settings))
    return [(found.part, ".".join(map(str, found.path)) or found.error) for found in PLATFORM.check(draft, ACCOUNT)]


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


def test_texts_have_1_to_1500_characters() -> None:
    assert broken("x" * 1500) == []
    assert broken("x" * 1501) == [("content", "Google Business Profile allows 1,500 characters; this has 1,501")]
    for empty in ("", " \n"):
        assert broken(empty, "i") == [("content", "Google Business Profile needs text in every post")]


@pytest.mark.parametrize("media", ["ii", "v", "g", "iv"])
def test_one_photo_and_nothing_else(media: str) -> None:
    assert {part for part, _ in broken("Hi", media)} == {"mediaItems"}


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


@pytest.mark.parametrize(
    "settings",
    [
        {"callToAction": {"type": "LEARN_MORE"}},
        {"callToAction": {"type": "CALL", "url": "https://example.com"}},
        {"callToAction": {"type": "DANCE", "url": "https://example.com"}},
        {"event": {"title": "x" * 59, "schedule": SCHEDULE}},
        {"event": {"title": "", "schedule": SCHEDULE}},
        {"event": {"title": "x"}},
        {"event": {"title": "x", "schedule": {**SCHEDULE, "endDate": {"year": 2026, "month": 1, "day": 19}}}},
        {"event": {"title": "x", "schedule": {**SCHEDULE, "startDate": {"year": 2026, "month": 2, "day": 30}}}},
        {"event": {"title": "x", "schedule": {"startDate": SCHEDULE["startDate"]}}},
        {"topicType": "ALERT"},
        {"languageCode": "German"},
        {"locationId": "Cafe"},
        {"summary": "x"},
    ],
)
def test_unknown_and_wrong_settings_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        GoogleBusinessSettings.model_validate(settings)


def test_photos_of_less_than_10_kb_are_refused_before_google_is_asked() -> None:
    [rule] = PLATFORM.rules.files
    assert rule.min_bytes == 10_000
