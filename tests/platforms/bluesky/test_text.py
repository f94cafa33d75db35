"""Texts for Bluesky: their length, features, limits from both sides, and names of records."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platforms.bluesky.platform import ALPHABET, CLOCKS, tid
from platforms.bluesky.rules import facets, mentions
from tests.platforms.specs import read


def vectors(name: str) -> list[str]:
    return [line for line in read(f"bluesky/{name}").splitlines() if line and not line.startswith("#")]


def tid_number(identifier: str) -> int:
    number = 0
    for digit in identifier:
        number = number * len(ALPHABET) + ALPHABET.index(digit)
    return number


def written(number: int) -> str:
    moment = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=number // CLOCKS)
    return tid(moment, number % CLOCKS)


def test_valid_identifiers_of_the_protocol_are_made_from_their_times() -> None:
    identifiers = vectors("tid_syntax_valid.txt")
    assert len(identifiers) > 5
    assert [written(tid_number(identifier)) for identifier in identifiers] == identifiers


def test_an_identifier_of_today_is_valid() -> None:
    now = tid(datetime.now(UTC), 1023)
    for invalid in vectors("tid_syntax_invalid.txt"):
        assert len(invalid) != len(now) or not set(invalid) <= set(ALPHABET) or invalid[0] > "j"
    assert now[0] <= "j"


@given(st.integers(0, 2**52), st.integers(0, CLOCKS - 1), st.integers(1, 10**12))
def test_identifiers_sort_by_time(microseconds: int, clock: int, later: int) -> None:
    first = datetime.fromtimestamp(0, UTC) + timedelta(microseconds=microseconds)
    assert tid(first, clock) < tid(first + timedelta(microseconds=later), 0)
    assert tid_number(tid(first, clock)) == microseconds * CLOCKS + clock


def shown(text: str, dids: dict[str, str] | None = None) -> list[tuple[str, str]]:
    spans = []
    for facet in facets(text, dids or {}):
        index, [feature] = facet["index"], facet["features"]
        name = feature.pop("$type").partition("#")[2]
        [value] = feature.values()
        spans.append((text.encode()[index["byteStart"] : index["byteEnd"]].decode(), f"{name} {value}"))
    return spans


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no features", []),
        ("see https://example.com", [("https://example.com", "link https://example.com")]),
        ("see https://example.com.", [("https://example.com", "link https://example.com")]),
        ("(https://example.com/a_(b))", [("https://example.com/a_(b)", "link https://example.com/a_(b)")]),
        (
            "(see https://example.com/?q=1&r=#x).",
            [("https://example.com/?q=1&r=#x", "link https://example.com/?q=1&r=#x")],
        ),
        ("www.example.com!", [("www.example.com", "link https://www.example.com")]),
        (
            "at example.com, (posts.example.ORG/a?b=http://c) and x.ai.",
            [
                ("example.com", "link https://example.com"),
                ("posts.example.ORG/a?b=http://c", "link https://posts.example.ORG/a?b=http://c"),
                ("x.ai", "link https://x.ai"),
            ],
        ),
        ("1.5 a.b file.txt e.g. ann@example.com x,example.com my-site.example 3.com .com", []),
        ("HTTP://EXAMPLE.COM", [("HTTP://EXAMPLE.COM", "link HTTP://EXAMPLE.COM")]),
        ("xhttps://example.com http:// www. www..", []),
        ("日本 https://例え.jp/é, ok", [("https://例え.jp/é", "link https://例え.jp/é")]),
        ("https://a.example/@b#c", [("https://a.example/@b#c", "link https://a.example/@b#c")]),
        ("#one #two", [("#one", "tag one"), ("#two", "tag two")]),
        ("#Ökö! (#no) x#no #123 #1a", [("#Ökö", "tag Ökö"), ("#1a", "tag 1a")]),
        ("##double", [("##double", "tag #double")]),
        ("＃full", [("＃full", "tag full")]),  # noqa: RUF001
        ("#\ufe0f⃣ #️⃣", []),
        ("#日本語", [("#日本語", "tag 日本語")]),
        ("#a\u200bb", [("#a", "tag a")]),
        (f"#{'x' * 64} #{'x' * 65}", [(f"#{'x' * 64}", f"tag {'x' * 64}")]),
    ],
)
def test_links_and_tags_are_found(text: str, expected: list[tuple[str, str]]) -> None:
    assert shown(text) == expected


def test_only_real_mentions_are_found() -> None:
    text = "Hi @Alice.example.com, (@bob.test) x@carol.example @dora @eve.example. @-f.example"
    assert mentions(text) == ["alice.example.com", "bob.test", "eve.example"]
    dids = {"alice.example.com": "did:plc:a", "bob.test": "", "eve.example": "did:plc:e"}
    assert shown(text, dids) == [("@Alice.example.com", "mention did:plc:a"), ("@eve.example", "mention did:plc:e")]


@given(st.text(st.sampled_from("a.#@/ :(h)www日\u200b👩é\n"), max_size=60))
def test_features_never_overlap_and_lie_within_the_text(text: str) -> None:
    end = 0
    for facet in facets(text, dict.fromkeys(mentions(text), "did:plc:a")):
        assert end <= facet["index"]["byteStart"] < facet["index"]["byteEnd"] <= len(text.encode())
        end = facet["index"]["byteEnd"]
        text.encode()[facet["index"]["byteStart"] : end].decode()
