"""Lists that are read back and are larger than is read, from servers that ignore every parameter that bounds them."""

import copy
import json
from typing import Any

import httpx
import pytest

from platforms.base import Published, Unknown
from tests.platforms.forms import FIRST, FORMS, Form, quick
from tests.platforms.rig import Connect
from tests.platforms.steps.test_matching import sent_without_answer
from tests.platforms.test_hostile_answers import Altering, raw

__all__ = ["quick"]

NAMED = {"bluesky", "tiktok", "youtube"}
"""Platforms that first ask for the post by its name."""
LISTED = [form for form in FIRST if form.confirmed == "by confirm" and form.platform not in NAMED]
LISTED += [form for form in FORMS if form.platform == "youtube" and not form.size]
LISTED += [form for form in FORMS if form.platform == "tiktok" and form.media == ("a.jpg",)]
LISTED += [form for form in FORMS if form.platform == "facebook" and form.settings.get("contentType") == "story"]
TEXTS = {
    "video_description",
    "caption",
    "commentary",
    "content",
    "description",
    "message",
    "selftext",
    "summary",
    "text",
    "title",
}
OWNERS = {"account", "author"}
IDS = {"id", "media_id", "name", "uri", "videoId"}
LONG = '"Salt", [pepper], {and} ' * 400


class Long(Altering):
    """The sandbox with longer lists: beside each post there are as many others, made at the same time."""

    def __init__(self, *, first: bool) -> None:
        super().__init__()
        self.first = first
        self.lists = 0

    def altered(self, status: int, body: bytes, headers: dict[str, str]) -> httpx.Response:
        answer = json.loads(body or b"null")
        for items in lists_in(answer) if status == httpx.codes.OK else []:
            self.lists += 1
            others = [another(items[0], number) | {"more": LONG} for number in range(100)]
            items[:] = [*items, *others] if self.first else [*others, *items]
        return httpx.Response(status, headers=raw(headers), content=json.dumps(answer).encode())


def lists_in(answer: Any, depth: int = 2) -> list[list[Any]]:
    """Return the lists of posts in a response, and in the objects in it."""
    if isinstance(answer, list):
        return [answer] if answer and isinstance(answer[0], dict) else []
    if not isinstance(answer, dict) or not depth:
        return []
    return [items for value in answer.values() for items in lists_in(value, depth - 1)]


def another(item: Any, number: int, name: str = "") -> Any:
    """Return another post than an item, or a part of one: with another id and another, long text."""
    if name in OWNERS:
        return item
    if isinstance(item, dict):
        return {key: another(value, number, key) for key, value in item.items()}
    if isinstance(item, str) and name in TEXTS:
        return LONG
    return f"{item}{number + 10}" if name in IDS and isinstance(item, str) else copy.deepcopy(item)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("form", LISTED, ids=str)
async def test_a_list_larger_than_is_read_is_read_as_far_as_it_goes(
    connect: Connect, form: Form, *, first: bool
) -> None:
    rig = await form.open(connect)
    context = await sent_without_answer(rig, form)
    server = Long(first=first)
    finding = await rig.platform.confirm(rig.connection(server), context)  # type: ignore[arg-type]
    await server.aclose()
    assert server.lists, "the post is read from a list"
    if first:
        assert isinstance(finding, Published)
        assert finding.platform_post_id == (await rig.posts())[0]["platformPostId"]
    else:
        # A container that says that it was published ends the search of its post.
        assert finding == Unknown(is_cut=form.platform not in {"instagram", "threads"})
