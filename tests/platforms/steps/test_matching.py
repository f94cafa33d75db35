"""Of posts with the same text, the earliest that belongs to no other target is chosen."""

from datetime import UTC, datetime, timedelta

import pytest

from platforms.base import Published
from platforms.steps.matching import MatchingPost, earliest_unclaimed, is_too_long
from tests.platforms.rig import Connect

NOW = datetime.now(UTC)
NEWEST_FIRST = [MatchingPost(Published(name, None), NOW - timedelta(minutes=age)) for name, age in (("c", 1), ("b", 2))]


@pytest.mark.parametrize(
    ("taken", "found"), [((), "b"), (("b",), "c"), (("c",), "b"), (("b", "c"), None), (("a",), "b")]
)
async def test_the_earliest_that_is_free_is_taken(connect: Connect, taken: tuple[str, ...], found: str | None) -> None:
    context = (await connect("twitter")).context("words")
    context.taken = frozenset(taken)
    chosen = earliest_unclaimed(context, NEWEST_FIRST)
    assert (chosen and chosen.platform_post_id) == found


async def test_a_post_made_after_the_request_had_ended_is_another(connect: Connect) -> None:
    context = (await connect("twitter")).context("words")
    for minutes, found in ((0, "b"), (2.5, "b"), (3.5, None)):
        context.ended_at = NOW - timedelta(minutes=minutes)
        chosen = earliest_unclaimed(context, NEWEST_FIRST)
        assert (chosen and chosen.platform_post_id) == found


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
