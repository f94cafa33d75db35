"""Of posts with the same text, the earliest that belongs to no other target is chosen; similar ones prove nothing."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platforms.base import Absent, Finding, Published, Unknown
from platforms.steps.matching import (
    Likeness,
    MatchingPost,
    earliest_unclaimed,
    is_too_long,
    likeness,
    verdict,
)
from tests.platforms.rig import Connect

NOW = datetime.now(UTC)
NEWEST_FIRST = [MatchingPost(Published(name, None), NOW - timedelta(minutes=age)) for name, age in (("c", 1), ("b", 2))]


@pytest.mark.parametrize(
    ("taken", "expected"), [((), "b"), (("b",), "c"), (("c",), "b"), (("b", "c"), None), (("a",), "b")]
)
async def test_the_earliest_that_is_free_is_taken(
    connect: Connect, taken: tuple[str, ...], expected: str | None
) -> None:
    context = (await connect("twitter")).context("words")
    context.taken = frozenset(taken)
    chosen = earliest_unclaimed(context, NEWEST_FIRST)
    assert (chosen and chosen.platform_post_id) == expected


async def test_a_post_made_after_the_request_had_ended_is_another(connect: Connect) -> None:
    context = (await connect("twitter")).context("words")
    for minutes, expected in ((0, "b"), (2.5, "b"), (3.5, None)):
        context.ended_at = NOW - timedelta(minutes=minutes)
        chosen = earliest_unclaimed(context, NEWEST_FIRST)
        assert (chosen and chosen.platform_post_id) == expected


@pytest.mark.parametrize(
    ("sent", "shown", "too_long"),
    [("", "", False), ("", "x" * 20_000, False), ("", "x" * 20_001, True), ("x" * 500, "x" * 220_001, True)],
)
def test_a_text_may_grow_by_its_markup_only(sent: str, shown: str, too_long: bool) -> None:
    assert is_too_long(shown, sent) is too_long


def test_a_text_of_nothing_but_tags_is_not_too_long() -> None:
    """Of all that Mastodon marks up, a tag of one letter grows most; a host's name has up to 253 characters."""
    address = f"https://{'h' * 253}/tags/x"
    tag = (
        f'<a href="{address}" class="mention hashtag" rel="nofollow noopener tag" target="_blank">#<span>x</span></a> '
    )
    assert not is_too_long(tag * 1000, "#x " * 1000)


SENT = "Our sale, with @ada and friends 🎉 \U0001f44d\U0001f3fd starts: see https://shop.example/summer?from=post &more"
WORDS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)
TEXTS = st.lists(WORDS, min_size=4, max_size=30)


@pytest.mark.parametrize(
    "shown",
    [
        SENT.replace("https://shop.example/summer?from=post", "https://t.example/aB3"),
        SENT.replace("https://shop.example/summer?from=post", "shop.example/summ…"),
        SENT.replace("https://shop.example/summer?from=post", ""),
        SENT.replace("@ada", "Ada Lovelace"),
        SENT.replace("@ada", "@[Ada Lovelace](urn:li:person:1)"),
        SENT.replace("@ada", "@ada@social.example"),
        SENT.replace("🎉", ":tada:"),
        SENT.replace("🎉", "").replace("\U0001f3fd", ""),
        SENT.replace("&", "&amp;"),
        SENT.replace("starts", "STARTS"),
        SENT[:40] + "…",
        SENT[:40] + "...",
        SENT.removesuffix("&more"),
        f"Ada's shop: {SENT}",
    ],
)
def test_a_text_that_a_platform_has_changed_resembles_what_was_sent(shown: str) -> None:
    assert likeness(shown, SENT) is Likeness.RESEMBLES


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("Day 1 of our sale. Coats are cheap.", "Day 2 of our sale. Boots are cheap."),
        ("Day 1 of our sale. https://shop.example/1", "Day 2 of our sale. https://shop.example/1"),
        ("Good morning @ada", "Good night @ada"),
        (SENT, "Our sale ends…"),
        (SENT, ""),
        ("", SENT),
    ],
)
def test_another_text_of_the_account_does_not_resemble(sent: str, shown: str) -> None:
    assert likeness(shown, sent) is Likeness.OTHER


@pytest.mark.parametrize(
    ("sent", "shown"), [("🎉", ""), ("https://shop.example/1", "https://t.example/aB3"), ("♥", "♥\ufe0f")]
)
def test_a_text_without_words_may_be_any_other_without_words(sent: str, shown: str) -> None:
    assert likeness(shown, sent) is Likeness.RESEMBLES


@given(TEXTS, st.data())
def test_a_text_whose_words_are_trimmed_or_continued_resembles(words: list[str], data: st.DataObject) -> None:
    sent = " ".join(words)
    assert likeness("\n".join(words), sent) is Likeness.SAME
    fewer = data.draw(st.lists(st.sampled_from(range(len(words))), max_size=len(words) // 4, unique=True))
    trimmed = [word for place, word in enumerate(words) if place not in fewer]
    for shown in (" ".join(trimmed), f"{sent} https://link.example", f"{sent[: len(sent) // 2].rstrip()}…"):
        assert likeness(shown, sent) is not Likeness.OTHER
        assert likeness(sent, " ".join(trimmed)) is not Likeness.OTHER


@given(TEXTS, TEXTS)
def test_texts_of_which_each_has_words_of_its_own_do_not_resemble(words: list[str], others: list[str]) -> None:
    mine, theirs = " ".join([*words, "unique"]), " ".join([*others, "alone"])
    assert likeness(mine, theirs) is Likeness.OTHER


@pytest.mark.parametrize(
    ("likenesses", "is_whole", "expected"),
    [
        ([Likeness.SAME, Likeness.RESEMBLES], False, Published("0", None)),
        ([Likeness.OTHER, Likeness.RESEMBLES], True, Unknown()),
        ([Likeness.OTHER], True, Absent()),
        ([Likeness.OTHER], False, Unknown()),
    ],
)
async def test_a_post_is_absent_only_if_nothing_resembles_it(
    connect: Connect, likenesses: list[Likeness], is_whole: bool, expected: Finding
) -> None:
    context = (await connect("twitter")).context("words")
    posts = [MatchingPost(Published(str(number), None), NOW, like) for number, like in enumerate(likenesses)]
    assert verdict(context, posts, since=NOW, is_whole=is_whole) == expected
    context.taken = frozenset(post.post.platform_post_id for post in posts)
    assert verdict(context, posts, since=NOW) == Absent()
    context.taken = frozenset()
    assert verdict(context, posts, since=NOW + timedelta(hours=1)) == Absent()
