"""The length of texts as Threads counts it."""

import pytest

from platforms.threads.rules import length


@pytest.mark.parametrize(("text", "count"), [("abc", 3), ("é", 1), ("日本", 2), ("🌊", 4), ("👍🏽", 8), ("a🌊b", 6)])
def test_an_emoji_costs_its_bytes(text: str, count: int) -> None:
    assert length(text) == count
