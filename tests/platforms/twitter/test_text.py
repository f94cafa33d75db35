"""The length of texts as X counts it: against the vectors of X's own library, and by facts of our own."""

import itertools
import time
import timeit
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platforms import texts
from platforms.twitter.rules import link_spans, weighted_length
from tests.cpu import cpu_seconds
from tests.platforms.specs import document


def links(text: str) -> list[str]:
    return [text[start:end] for start, end in link_spans(text)]


def vectors(file: str, *groups: str) -> list[dict[str, Any]]:
    tests: dict[str, list[dict[str, Any]]] = document(f"twitter-text/{file}")["tests"]
    return [case for group in groups or tests for case in tests[group]]


def test_every_weighted_length_of_the_vectors() -> None:
    cases = vectors(
        "conformance-validate.yml",
        "WeightedTweetsWithDiscountedEmojiCounterTest",
        "UnicodeDirectionalMarkerCounterTest",
    )
    assert len(cases) > 20
    for case in cases:
        assert weighted_length(case["text"]) == case["expected"]["weightedLength"], case["description"]


def test_the_vectors_of_the_older_configuration_differ_only_where_it_did_not_discount_emoji() -> None:
    differing = [
        case["description"]
        for case in vectors("conformance-validate.yml", "WeightedTweetsCounterTest")
        if weighted_length(case["text"]) != case["expected"]["weightedLength"]
    ]
    assert differing == [
        "Count a mix of single byte single word, and double word unicode characters",
        "Count unicode emoji chars outside the basic multilingual plane with skin tone modifiers",
    ]


def test_the_vectors_that_say_whether_a_text_of_140_fits() -> None:
    # The vectors are older than the limit of 280; their limit is half of it.
    for case in vectors("conformance-validate.yml", "tweets"):
        if case["description"].startswith("Valid"):
            assert 0 < weighted_length(case["text"]) <= 280, case["description"]


@pytest.mark.parametrize(
    "group", ["urls", "urls_with_indices", "urls_with_directional_markers", "tco_urls_with_params"]
)
def test_every_link_of_the_vectors(group: str) -> None:
    cases = vectors("conformance-extract.yml", group)
    assert cases
    for case in cases:
        expected = [link["url"] if isinstance(link, dict) else link for link in case["expected"]]
        assert links(case["text"]) == expected, case["description"]
        if group == "urls_with_indices":
            assert link_spans(case["text"]) == [tuple(link["indices"]) for link in case["expected"]]


def test_the_top_level_domains_are_listed_in_their_order() -> None:
    """A word that was replaced in the list breaks the order, and links of that domain would be counted as text."""
    listed = (Path(texts.__file__).parent / "tlds.txt").read_text().split()
    latin = [name for name in listed if name.isascii()]
    assert latin == sorted(set(latin))
    assert {"com", "network", "social"} <= set(latin)


def test_every_top_level_domain_of_the_vectors() -> None:
    cases = vectors("conformance-tlds.yml")
    assert len(cases) > 1500
    for case in cases:
        assert links(case["text"]) == case["expected"], case["description"]


def test_every_link_without_a_scheme_of_the_vectors() -> None:
    for case in vectors("conformance-validate.yml", "urls_without_protocol"):
        assert (links(case["text"]) == [case["text"]]) is case["expected"], case["description"]


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("", 0),
        ("Hello", 5),
        ("e\u0301", 1),
        ("日本語", 6),
        ("Grüße, Привет", 13),
        ("see example.com now", 4 + 23 + 4),
        ("https://example.com/" + "a" * 300, 23),
        ("👨\u200d👩\u200d👧\u200d👦", 2),
        ("🇩🇪", 2),
        ("1\ufe0f\u20e3", 2),
        ("👍🏽", 2),
        ("🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f", 2),
        ("©", 1),
        ("©\ufe0f", 2),
        ("me@example.com", 14),
        ("file.tar.gz", 11),
        ("v1.2.3", 6),
    ],
)
def test_each_text_has_its_weight(text: str, length: int) -> None:
    assert weighted_length(text) == length


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("read example.com.", ["example.com"]),
        ("(https://example.com/a_(b))", ["https://example.com/a_(b)"]),
        ("example.com:8080/x", ["example.com:8080/x"]),
        ("HTTP://EXAMPLE.COM/X", ["HTTP://EXAMPLE.COM/X"]),
        ("new.music and some.kids", ["new.music", "some.kids"]),
        ("https://user@example.com", []),
        ("https://example.com/" + "a" * 4100, []),
    ],
)
def test_the_links_of_a_text_are_found(text: str, expected: list[str]) -> None:
    assert links(text) == expected


@given(st.text(alphabet="aé日.-_/:@#?()! \n👍\u200d\ufe0f1", max_size=60))
def test_counting_holds_for_any_text(text: str) -> None:
    spans = link_spans(text)
    assert all(0 <= start < end <= len(text) for start, end in spans)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(spans))
    assert 0 <= weighted_length(text) <= 2 * len(text) + 23 * len(spans)


@given(st.text(alphabet="aé日. ", max_size=40), st.sampled_from(["a.co", "http://x.com/y", "日本.jp/x"]))
def test_a_text_of_plain_words_costs_what_its_parts_cost(text: str, link: str) -> None:
    assert weighted_length(f"{text} !") == weighted_length(text) + 2
    assert weighted_length(f"! {link}") == 2 + (23 if links(link) else weighted_length(link))


def test_a_post_is_counted_within_a_millisecond() -> None:
    """It takes a quarter of that, and twice as long while coverage is measured."""
    text = "Our new release is out, read https://example.com/releases/2026?from=x and example.org. 日本語 👍🏽 " * 3
    best = min(timeit.repeat(lambda: weighted_length(text[:280]), timer=time.process_time, number=50, repeat=5)) / 50
    assert best < 0.001


@pytest.mark.parametrize(
    "piece",
    [
        "日",
        "a.",
        "日.com",
        "a.com_日",
        "a.com/(",
        "(",
        "a-",
        "#日",
        "http://",
        "😀\u200d",
        "é.",
        "a.comé-",
        "xn--é.com ",
    ],
)
def test_the_time_grows_with_the_length_and_no_faster(piece: str) -> None:
    text = "a.com/" + piece * (100_000 // len(piece)) + ".com"
    # Searching every range from each of its characters would take minutes.
    assert cpu_seconds(lambda: weighted_length(text)) < 2
