"""The patterns of settings: each has a description in words."""

from collections.abc import Iterator
from typing import Annotated, Any, get_args

import pytest
from pydantic import BaseModel, ValidationError

from platforms.registry import platforms
from platforms.texts.patterns import Digits, Language, TextPattern, WebAddress


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
