"""Telegram's limits from both sides, and combinations that are refused."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platforms.base import AccountFacts
from platforms.telegram import PLATFORM
from platforms.telegram.text import visible
from platforms.texts.unicode import utf16_length
from tests.platforms.drafts import draft

ACCOUNT = AccountFacts("tg_1", "1", "news")


def broken(text: str, media: str = "", **settings: Any) -> list[tuple[str, str]]:
    found = PLATFORM.check(draft("telegram", text, media, **settings), ACCOUNT)
    return [(each.part, each.error) for each in found]


@pytest.mark.parametrize(
    ("media", "limit", "unit"), [("", 4096, ""), ("i", 1024, " beside images"), ("d", 1024, " beside documents")]
)
def test_texts_are_measured_in_utf16(media: str, limit: int, unit: str) -> None:
    assert broken("x" * limit, media) == []
    assert broken("😀" * (limit // 2), media) == []
    [(part, error)] = broken("x" * (limit + 1), media)
    assert part == "content"
    assert error == f"Telegram allows {limit:,} characters{unit}; this has {limit + 1:,}"
    assert broken("😀" * (limit // 2) + "x", media)


def test_markup_is_not_counted() -> None:
    assert broken("<b>" + "x" * 4096 + "</b>", parseMode="HTML") == []
    assert broken("&lt;" * 4096, parseMode="HTML") == []
    assert broken("<b>" + "x" * 4097 + "</b>", parseMode="HTML")
    assert broken("*" + "x" * 4096 + "*", parseMode="MarkdownV2") == []
    assert broken("[" + "x" * 4096 + "](https://example.com)", parseMode="MarkdownV2") == []
    assert broken(r"\." * 4096, parseMode="MarkdownV2") == []
    assert broken("x" * 4097, parseMode="MarkdownV2")
    assert broken("<b>" + "x" * 4096)


@given(st.text())
def test_reading_markup_never_lengthens_a_text(text: str) -> None:
    assert visible(text, None) == text
    for mode in ("Markdown", "MarkdownV2"):
        assert utf16_length(visible(text, mode)) <= utf16_length(text)


@pytest.mark.parametrize("text", ["", " \n"])
def test_something_must_be_said_or_shown(text: str) -> None:
    assert broken(text) == [("content", "Telegram needs text or media")]
    assert broken("<b></b>", parseMode="HTML") == [("content", "Telegram needs text or media")]
    assert broken(text, "i") == []


@pytest.mark.parametrize("name", ["hasSpoiler", "showCaptionAboveMedia"])
def test_settings_of_media_need_media(name: str) -> None:
    given_it: dict[str, Any] = {name: True}
    refusal = ("platformSpecificData", f"Telegram takes {name} only with images, videos and GIFs")
    assert broken("Hi", **given_it) == broken("Hi", "d", **given_it) == [refusal]
    assert broken("Hi", "i", **given_it) == []


def test_previews_belong_to_texts() -> None:
    assert broken("Hi", disableWebPagePreview=True) == []
    assert [part for part, _ in broken("Hi", "i", disableWebPagePreview=True)] == ["platformSpecificData"]


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("[words](https://a.example)", "words"),
        ("![\U0001f44d](tg://emoji?id=1) [b](c)!", "\U0001f44d b!"),
        (r"\[not](a link)", "[not](a link)"),
        (r"[a\]b](c\)d)e", "a]be"),
        ("[no end](https://a.example", "[no end](https://a.example"),
        ("[in [side](b)", "[in side"),
    ],
)
def test_of_a_link_only_its_words_are_seen(text: str, seen: str) -> None:
    assert visible(text, "MarkdownV2") == seen


def test_a_number_that_no_character_has_is_one_character() -> None:
    assert visible("&#65;&#" + "1" * 5000 + ";", "HTML") == "A\ufffd"
