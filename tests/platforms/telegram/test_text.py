"""The part of a text with markup that Telegram shows, and counts."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platforms.telegram.rules import visible
from platforms.texts.unicode import utf16_length


@given(st.text())
def test_reading_markup_never_lengthens_a_text(text: str) -> None:
    assert visible(text, None) == text
    for mode in ("Markdown", "MarkdownV2"):
        assert utf16_length(visible(text, mode)) <= utf16_length(text)


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
def test_only_the_words_of_a_link_are_counted(text: str, seen: str) -> None:
    assert visible(text, "MarkdownV2") == seen


def test_a_number_that_no_character_has_is_one_character() -> None:
    assert visible("&#65;&#" + "1" * 5000 + ";", "HTML") == "A\ufffd"
