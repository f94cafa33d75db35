"""Errors that LinkedIn would report are found before anything is sent, and no character can cut off a text."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.post import Media, MediaType
from platforms.base import AccountFacts, Draft
from platforms.linkedin import PLATFORM
from platforms.linkedin.little import little
from platforms.linkedin.settings import LinkedInSettings
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
def test_reserved_characters_are_escaped(text: str, written: str) -> None:
    assert little(text) == written


@given(st.text(alphabet=st.one_of(st.sampled_from(r"\|{}@[]()<>#*_~ab1 "), st.characters(codec="utf-8"))))
def test_every_text_reads_as_it_was_written(text: str) -> None:
    assert shown(little(text)) == text
