"""The cost of reading texts and responses, whatever they contain."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest

from benchmarks.abuse.texts import NAMES, text
from domain.workspaces import MAX_TEXT
from platforms.bluesky.rules import facets, mentions
from platforms.linkedin.rules import little
from platforms.mastodon.rules import readings, words
from platforms.steps.matching import likeness
from platforms.tiktok.rules import photo_title
from tests.cpu import cpu_seconds
from tests.pieces import LONGEST_S, measured_pieces
from tests.platforms.rig import Rig
from tests.platforms.test_hostile_answers import (  # noqa: F401 the fixtures of these steps
    FORMS,
    Altering,
    Constant,
    _no_wait,
    all_steps,
    rig,
)

SIZE = 500 * 1024
"""Bytes of a text: nearly all that a stranger's answer may have."""
PATTERNS = {
    "letters that become 18": "\ufdfa",
    "mentions": "@a ",
    "tags": "<p>",
    "nested links": "<a>@",
    "words": "a ",
    "domains": "a.b ",
    "references": "&#1;",
    "marks": "\u0301\u0323",
    "comments": "<!--",
    "links": "https://a.b/c ",
}
_WORDS = {"facebook": 4_000, "linkedin": 550, "mastodon": 90, "telegram": 700, "youtube": 900, "discord": 350}
"""Words of the sent text, near the platform's limit: the longer it is, the more an answer may have."""


def hostile(name: str) -> str:
    pattern = PATTERNS[name]
    text = pattern * (SIZE // len(pattern.encode()))
    return text[: len(text) // 2] + "</a>" * (SIZE // 8) if name == "nested links" else text


class Growing(Altering):
    """The sandbox, whose answers have one text replaced by a hostile one, at its first place."""

    def __init__(self) -> None:
        super().__init__()
        self.path, self.text = "", ""
        self.seen: dict[str, None] = {}
        """The places of all texts in the answers."""

    def altered(self, status: int, body: bytes, headers: dict[str, str]) -> httpx.Response:
        try:
            document = json.loads(body)
        except ValueError:
            return httpx.Response(status, headers=headers, content=body)
        self._replaced = False
        changed = json.dumps(self._walk(document, ""), ensure_ascii=False).encode()
        return httpx.Response(status, headers=headers, content=changed if self._replaced else body)

    def _walk(self, value: Any, path: str) -> Any:
        if isinstance(value, dict):
            return {name: self._walk(part, f"{path}.{name}") for name, part in value.items()}
        if isinstance(value, list):
            return [self._walk(part, f"{path}[]") for part in value]
        if not isinstance(value, str):
            return value
        self.seen[path] = None
        if path != self.path or self._replaced:
            return value
        self._replaced = True
        return value + self.text


def _forms(name: str, thorough: bool) -> Iterator[tuple[list[str], dict[str, Any]]]:
    yield from FORMS[name] if thorough else FORMS[name][:1]


@pytest.mark.timeout(300)  # with --thorough: some 500 answers of 512 KiB
async def test_a_text_of_an_answer_is_read_in_short_pieces(rig: Rig, thorough: bool) -> None:  # noqa: F811
    number, too_long = 0, []
    for names, settings in _forms(rig.platform.name, thorough):
        media = [rig.sandbox.media(name) for name in names]

        async def take_steps(server: Growing) -> float:
            nonlocal number
            number += 1
            text = f"Sunset {number}\n" + "word " * _WORDS.get(rig.platform.name, 40)
            began = datetime.now(UTC) - timedelta(minutes=1)
            context = rig.context(text, media, settings=settings, started_at=began)  # noqa: B023
            with measured_pieces() as pieces:
                await all_steps(rig, server, context)
            return pieces.longest

        async with Growing() as server:
            await take_steps(server)
            texts = {name: hostile(name) for name in PATTERNS}
            every = len(texts) // (2 if thorough else 1)
            for place, path in enumerate(list(server.seen)):
                for at, name in enumerate(texts):
                    if (place + at) % every == 0 or path.endswith(("text", "content", "message")):
                        server.path, server.text = path, texts[name]
                        if (spent := await take_steps(server)) > LONGEST_S and (
                            spent := min(spent, await take_steps(server))
                        ) > LONGEST_S:
                            too_long.append((path, name, round(spent, 3)))
    assert too_long == []


@pytest.mark.parametrize("status", [pytest.param(200, marks=pytest.mark.thorough), 400])
async def test_an_error_of_one_text_is_read_in_short_pieces(rig: Rig, status: int) -> None:  # noqa: F811
    fields = "error", "errors", "error_description", "message", "detail", "title"
    names, settings = FORMS[rig.platform.name][0]
    for name in PATTERNS:
        answer = hostile(name)
        for body in (answer, *(json.dumps({field: answer}, ensure_ascii=False) for field in fields)):
            context = rig.context("Sunset", [rig.sandbox.media(name) for name in names], settings=settings)
            # A busy machine makes a piece longer, so it counts only if it is as long when it is repeated.
            for _ in range(3):
                with measured_pieces() as pieces:
                    await all_steps(rig, Constant(status, body.encode(), {}), context)
                if pieces.longest < LONGEST_S:
                    break
            else:
                pytest.fail(f"{name}: {pieces.longest:.3f} s in {pieces.where}")


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
