"""The cost of confirming grows linearly with the text, not quadratically: it runs on the worker's event loop."""

from collections.abc import Callable
from functools import partial

import pytest

from benchmarks.abuse.texts import NAMES, text
from domain.workspaces import MAX_TEXT
from platforms.bluesky.rules import facets, mentions
from platforms.linkedin.rules import little
from platforms.mastodon.rules import readings, words
from platforms.steps.matching import likeness
from platforms.tiktok.rules import photo_title
from tests.cpu import cpu_seconds

MOST_S = 0.3
"""Seconds of one core."""
READERS: dict[str, Callable[[str], object]] = {
    "mastodon words": words,
    "mastodon readings": readings,
    "likeness": lambda text: likeness(text[1:], text[:-1]),
    "bluesky mentions": mentions,
    "bluesky facets": lambda text: facets(text[:3_000], {}),
    "linkedin little": little,
    "tiktok title": photo_title,
}


@pytest.mark.parametrize("reader", READERS)
def test_the_worst_texts_are_soon_read(reader: str) -> None:
    for name in NAMES:
        hostile = text(name, MAX_TEXT)
        assert cpu_seconds(partial(READERS[reader], hostile)) < MOST_S, name
