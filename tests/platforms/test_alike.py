"""Of posts that say the same the earliest that is nobody else's is taken."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

import pytest

from platforms.alike import Alike, earliest
from platforms.base import Published
from tests.platforms.rig import Rig

NOW = datetime.now(UTC)
NEWEST_FIRST = [Alike(Published(name, None), NOW - timedelta(minutes=age)) for name, age in (("c", 1), ("b", 2))]


@pytest.mark.parametrize(
    ("taken", "found"), [((), "b"), (("b",), "c"), (("c",), "b"), (("b", "c"), None), (("a",), "b")]
)
async def test_the_earliest_that_is_free_is_taken(
    connect: Callable[..., Awaitable[Rig]], taken: tuple[str, ...], found: str | None
) -> None:
    sending = (await connect("twitter")).sending("words")
    sending.taken = frozenset(taken)
    chosen = earliest(sending, NEWEST_FIRST)
    assert (chosen and chosen.platform_post_id) == found
