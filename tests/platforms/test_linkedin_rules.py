"""Errors that LinkedIn would report are found before anything is sent, and no character can cut off a text."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from domain.post import Media, MediaType
from platforms.base import AccountFacts, Draft
from platforms.linkedin import PLATFORM
from platforms.linkedin.little import little
from platforms.linkedin.settings import Article, LinkedInCredentials, LinkedInSettings, Poll
from platforms.registry import platforms
from platforms.rules import Violation
from sandbox.platforms.linkedin.text import shown

ACCOUNT = AccountFacts("li_1", "1", "someone")
ARTICLE = {"source": "https://example.com", "title": "A page"}
POLL = {"question": "Tea or coffee?", "options": ["Tea", "Coffee"]}
PAGE = "urn:li:organization:5515715"


def media(kind: MediaType, count: int = 1, alt_text: str | None = None) -> tuple[Media, ...]:
    return tuple(Media(type=kind, url=f"https://cdn.example.com/{at}", alt_text=alt_text) for at in range(count))


def check(text: str = "text", items: tuple[Media, ...] = (), **settings: Any) -> list[Violation]:
    return PLATFORM.check(Draft(text, items, LinkedInSettings.model_validate(settings)), ACCOUNT)


def test_the_registry_lists_the_platform() -> None:
    assert platforms()["linkedin"] is PLATFORM


@pytest.mark.parametrize(
    ("text", "fits"),
    [
        ("x" * 3000, True),
        ("x" * 3001, False),
        ("(" * 1500, True),
        ("(" * 1500 + "x", False),
        ("x" * 2983 + " #tag", True),
        ("x" * 2984 + " #tag", False),
    ],
)
def test_the_length_of_a_text_is_that_of_what_is_sent(text: str, fits: bool) -> None:
    found = check(text)
    assert (found == []) is fits
    assert fits or found[0].error.endswith("this has 3,001")


@pytest.mark.parametrize(
    ("items", "fits"),
    [
        (media(MediaType.IMAGE, 20), True),
        (media(MediaType.IMAGE, 21), False),
        (media(MediaType.GIF), True),
        (media(MediaType.VIDEO), True),
        (media(MediaType.VIDEO, 2), False),
        (media(MediaType.DOCUMENT), True),
        (media(MediaType.DOCUMENT, 2), False),
        (media(MediaType.IMAGE) + media(MediaType.VIDEO), False),
        (media(MediaType.IMAGE) + media(MediaType.DOCUMENT), False),
        (media(MediaType.IMAGE, alt_text="x" * 4086), True),
        (media(MediaType.IMAGE, alt_text="x" * 4087), False),
    ],
)
def test_how_many_media_of_which_kind(items: tuple[Media, ...], fits: bool) -> None:
    found = check(items=items)
    assert (found == []) is fits
    assert {violation.part for violation in found} <= {"mediaItems"}


@pytest.mark.parametrize(
    ("settings", "items", "path"),
    [
        ({"article": ARTICLE}, (), None),
        ({"article": ARTICLE}, media(MediaType.IMAGE), "article"),
        ({"article": ARTICLE, "disableLinkPreview": True}, media(MediaType.IMAGE), None),
        ({"poll": POLL}, (), None),
        ({"poll": POLL}, media(MediaType.IMAGE), "poll"),
        ({"poll": POLL, "article": ARTICLE}, (), "poll"),
        ({"poll": POLL, "article": ARTICLE, "disableLinkPreview": True}, (), None),
        ({"documentTitle": "Report"}, media(MediaType.DOCUMENT), None),
        ({"documentTitle": "Report"}, media(MediaType.IMAGE), "documentTitle"),
        ({"organizationUrn": PAGE}, (), None),
        ({"visibility": "CONNECTIONS"}, (), None),
        ({"organizationUrn": PAGE, "visibility": "CONNECTIONS"}, (), "visibility"),
    ],
)
def test_settings_that_exclude_each_other_are_refused(
    settings: dict[str, Any], items: tuple[Media, ...], path: str | None
) -> None:
    assert [violation.path for violation in check(items=items, **settings)] == ([(path,)] if path else [])


def test_a_post_says_or_shows_something() -> None:
    assert [violation.part for violation in check(" ")] == ["content"]
    assert check("", media(MediaType.IMAGE)) == []
    assert check("", article=ARTICLE) == check("", poll=POLL) == []
    [same] = check(poll={**POLL, "options": ["Tea", "Tea"]})
    assert (same.error, same.path) == ("LinkedIn does not take the same answer twice", ("poll", "options"))


@pytest.mark.parametrize(
    "settings",
    [
        {"organizationUrn": "5515715"},
        {"article": {"source": "example.com", "title": "A page"}},
        {"article": {"source": "https://example.com"}},
        {"article": {**ARTICLE, "picture": "https://example.com/a.jpg"}},
        {"poll": {**POLL, "options": ["Tea"]}},
        {"poll": {**POLL, "options": ["1", "2", "3", "4", "5"]}},
        {"poll": {**POLL, "options": ["Tea", "x" * 31]}},
        {"poll": {**POLL, "question": "x" * 141}},
        {"poll": {**POLL, "duration": "ONE_YEAR"}},
        {"firstComment": ""},
        {"firstComment": "x" * 1251},
        {"documentTitle": "x" * 401},
        {"visibility": "FRIENDS"},
        {"unknown": 1},
    ],
)
def test_settings_without_effect_are_refused(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LinkedInSettings.model_validate(settings)


def test_every_setting_is_described_with_an_example() -> None:
    for model in (LinkedInSettings, Article, Poll):
        assert all(field.description and field.examples for field in model.model_fields.values())


def test_credentials_show_no_secret() -> None:
    given = {"accessToken": "s3cret", "refreshToken": "s3cret", "clientSecret": "s3cret", "organizationUrn": PAGE}
    assert "s3cret" not in repr(LinkedInCredentials.model_validate(given))


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", "plain"),
        ("a (b) c", r"a \(b\) c"),
        ("#launch!", r"{hashtag|\#|launch}!"),
        ("C# and #1", r"C\# and \#1"),
        ("https://e.com/#top", r"https://e.com/\#top"),
        ("#a_b", r"\#a\_b"),
        (f"@[Acme]({PAGE})", f"@[Acme]({PAGE})"),
        ("@[Acme](https://e.com)", r"\@\[Acme\]\(https://e.com\)"),
        ("back\\slash", r"back\\slash"),
    ],
)
def test_how_texts_are_written(text: str, written: str) -> None:
    assert little(text) == written


@given(st.text(alphabet=st.one_of(st.sampled_from(r"\|{}@[]()<>#*_~ab1 "), st.characters(codec="utf-8"))))
def test_every_text_reads_as_it_was_written(text: str) -> None:
    assert shown(little(text)) == text
