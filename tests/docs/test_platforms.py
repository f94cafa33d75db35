"""The documents' statements about the platforms are true."""

import importlib.util
import re
from pathlib import Path

import pytest
from pydantic import AliasChoices
from pydantic.fields import FieldInfo

from platforms.registry import platforms

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CREDENTIALS = (ROOT / "docs/credentials.md").read_text(encoding="utf-8")
_NAMES = re.compile(r"`[A-Za-z]+`(?:, `[A-Za-z]+`)*")


def names_in(text: str) -> set[str]:
    """Return the names of a list in a cell; any other text in a cell is a remark."""
    return set(re.findall(r"`(\w+)`", text)) if _NAMES.fullmatch(text) else set()


def credentials_table() -> dict[str, tuple[set[str], set[str]]]:
    lines = [line for line in CREDENTIALS.splitlines() if line[:1] == "|"]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    assert rows[0] == ["platform", "needed", "optional"]
    return {platform: (names_in(needed), names_in(more.split(";")[0])) for platform, needed, more in rows[2:]}


def display_name(field: FieldInfo) -> str:
    """Return the name that a client writes; of several names the first is the documented one."""
    alias = field.validation_alias
    return str(alias.choices[0] if isinstance(alias, AliasChoices) else alias)


def test_every_platform_is_listed_by_its_name() -> None:
    (part,) = [part for part in README.split("\n\n") if part.startswith("Supported networks")]
    listed = re.findall(r"`(\w+)`(?: \(([^)]+)\))?", part.partition(":")[2])
    assert [name for name, _ in listed] == sorted(platforms())
    for name, label in listed:
        assert not label or label == platforms()[name].label


def test_every_platform_has_its_row_of_credentials() -> None:
    assert list(credentials_table()) == sorted(platforms())


@pytest.mark.parametrize("platform", sorted(platforms()))
def test_the_credentials_are_those_that_it_takes(platform: str) -> None:
    fields, own_fields = platforms()[platform].credentials.model_fields, platforms()[platform].service_fields
    client_fields = [
        field
        for name, field in fields.items()
        if name not in own_fields and not (field.description or "").startswith("Kept by us")
    ]
    needed, optional = credentials_table()[platform]
    assert needed == {display_name(field) for field in client_fields if field.is_required()}
    assert optional == {display_name(field) for field in client_fields if not field.is_required()}


def test_the_page_of_limits_has_every_number_of_the_rules() -> None:
    spec = importlib.util.spec_from_file_location("platform_limits", ROOT / "docs/site/platform_limits.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    sections = dict(
        re.findall(r"^## [^\n]* \(`(\w+)`\)\n\n(.*?)(?=^## |\Z)", module.platform_limits(), re.DOTALL | re.MULTILINE)
    )
    assert list(sections) == sorted(platforms())
    for name, platform in platforms().items():
        rules = platform.rules
        numbers: list[float | None] = [
            rules.text.limit,
            rules.text.premium_limit,
            *dict(rules.text.with_media).values(),
        ]
        numbers += [rules.media.max_items, *dict(rules.media.max_of).values(), rules.alt_text]
        numbers += [rate.limit for rate in (*rules.rate_limits, *rules.prepare_rate_limits)]
        for rule in rules.files:
            numbers += [rule.max_seconds, rule.max_width, rule.max_height, rule.max_shorter, rule.max_longer]
        assert [number for number in numbers if number and f"{number:,}" not in sections[name]] == [], name
        assert {len(re.findall(r"(?<!\\)\|", line)) for line in sections[name].strip().splitlines()} == {3}
