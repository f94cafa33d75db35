"""Patterns of texts, and functions on texts whose cost is linear."""

import unicodedata
from collections.abc import Iterator
from typing import Annotated, Any, get_args

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from platforms.registry import platforms
from platforms.texts.expensive import TooMuchText, expensive, one_request
from platforms.texts.patterns import Digits, Language, TextPattern, WebAddress
from platforms.texts.unicode import LONGEST_RUN, graphemes, nfc, nfkc


class Formed(BaseModel, strict=True):
    page: WebAddress | None = None
    number: Digits | None = None
    language: Language | None = None
    code: Annotated[str, TextPattern(r"^x+$", "must be some x")] = "x"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"page": "ftp://example.com"}, "must be an http or https URL"),
        ({"page": "https://"}, "must be an http or https URL"),
        ({"number": "12a"}, "must be an id of digits alone"),
        ({"number": "12\n"}, "must be an id of digits alone"),
        ({"language": "english"}, "must be the code of a language such as en or pt-BR"),
        ({"code": "xy"}, "must be some x"),
    ],
)
def test_another_form_is_refused_in_words(fields: dict[str, str], words: str) -> None:
    with pytest.raises(ValidationError) as refused:
        Formed.model_validate(fields)
    (problem,) = refused.value.errors()
    assert problem["msg"] == f"Value error, {words}"


def test_a_valid_value_is_kept_and_its_pattern_is_in_the_schema() -> None:
    formed = Formed.model_validate({"page": "https://example.com", "number": "12", "language": "pt-BR", "code": "xx"})
    assert (formed.page, formed.number, formed.language, formed.code) == ("https://example.com", "12", "pt-BR", "xx")
    assert Formed.model_json_schema()["properties"]["code"]["pattern"] == "^x+$"
    with pytest.raises(ValidationError, match="valid string"):
        Formed.model_validate({"code": 1})


@pytest.mark.parametrize("platform", sorted(platforms()))
def test_every_pattern_of_a_setting_has_words(platform: str) -> None:
    wordless = [name for name, rule in _rules(platforms()[platform].settings) if not isinstance(rule, TextPattern)]
    assert wordless == []


def _rules(model: type[BaseModel]) -> Iterator[tuple[str, Any]]:
    """Yield everything that sets a pattern, with the name of its field; nested models included."""
    for name, field in model.model_fields.items():
        parts = [*field.metadata, *_parts(field.annotation)]
        yield from ((name, part) for part in parts if getattr(part, "pattern", None))
        for part in parts:
            if isinstance(part, type) and issubclass(part, BaseModel):
                yield from _rules(part)


def _parts(annotation: Any) -> Iterator[Any]:
    yield annotation
    for part in get_args(annotation):
        yield from _parts(part)


SIGNS = (
    "ae\u0301\u0323\u0327\u0345\u1100\u1161\u4e2d\U0001f1e6\U0001f1e7\u200d\ufe0f\U0001f468\U0001f3fb\r\n\u0600\ufdfa"
)


@given(st.text(alphabet=SIGNS, max_size=30) | st.text(max_size=30))
def test_counts_as_the_official_libraries_do(text: str) -> None:
    assert nfc(text) == unicodedata.normalize("NFC", text)
    assert nfkc(text) == unicodedata.normalize("NFKC", text)
    assert graphemes(text) == len(regex.findall(r"\X", text))


@pytest.mark.parametrize("marks", [LONGEST_RUN - 1, LONGEST_RUN, LONGEST_RUN + 1, 1000])
def test_many_marks_keep_their_letter_and_their_number(marks: int) -> None:
    text = "e" + "\u0323\u0301" * marks
    assert nfc(text)[0] == "\u1eb9"
    assert len(nfc(text)) == 2 * marks
    assert graphemes(text) == 1


seen: list[str] = []


@expensive
def size(text: str, factor: int = 1) -> int:
    seen.append(text)
    return len(text) * factor


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    seen.clear()


def test_a_text_is_read_once_within_a_request() -> None:
    with one_request():
        assert [size("abc"), size("abc"), size("abc", 2), size("abc", factor=2)] == [3, 3, 6, 6]
    assert seen == ["abc"] * 3
    size("abc")
    assert len(seen) == 4


def test_repeated_texts_are_counted_once() -> None:
    with one_request(most=5):
        size("abc")
        size("abc")
        size("de")
        with pytest.raises(TooMuchText):
            size("f")
        assert size("abc") == 3
    assert size("x" * 10) == 10
