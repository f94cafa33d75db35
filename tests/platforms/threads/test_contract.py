"""Every name sent to Threads must be one that Meta's own collection of its calls contains."""

import re
from collections import defaultdict
from collections.abc import Iterator
from functools import cache
from typing import Any
from urllib.parse import parse_qs

import pytest

from platforms.base import Published
from platforms.threads import PLATFORM
from platforms.threads.platform import POST_FIELDS
from tests.platforms.post_steps import every_step, publish
from tests.platforms.rig import Connect, Rig, noting
from tests.platforms.specs import document, needs
from tests.platforms.threads.test_platform import items, node

COLLECTION = "threads/threads-api.postman_collection.json"

pytestmark = needs(COLLECTION)

PAGING = {"since", "limit", "fields"}
"""Parameters of the whole Graph API."""


def calls(folder: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for entry in folder:
        if "item" in entry:
            yield from calls(entry["item"])
        else:
            yield entry["request"]


@cache
def known() -> dict[tuple[str, str], set[str]]:
    """Return the names that each call takes, by method and path, including those that the collection disables."""
    fields: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for call in calls(document(COLLECTION)["item"]):
        url = call["url"]
        path = "/".join("{id}" if "{{" in part else part for part in url.get("path", []) if part)
        names = {str(query["key"]) for query in url.get("query", [])}
        fields[call["method"], path] |= names
    return fields


@cache
def variables() -> dict[str, str]:
    return {variable["key"]: variable.get("value", "") for variable in document(COLLECTION)["variable"]}


@pytest.mark.parametrize(
    ("names", "settings"),
    [
        ([], {"topicTag": "film", "replyControl": "mentioned_only", "linkAttachment": "https://example.com"}),
        ([], {"poll": {"options": ["a", "b", "c", "d"]}, "quotePostId": "18000000000000001"}),
        ([], {"replyToId": "here"}),
        (["a.jpg"], {}),
        (["a.mp4"], {}),
        (["a.jpg", "b.mp4"], {"threadItems": "here"}),
    ],
)
async def test_every_request_uses_names_that_its_call_knows(
    connect: Connect, names: list[str], settings: dict[str, Any]
) -> None:
    rig: Rig = await connect("threads")
    if "threadItems" in settings:
        settings = {"threadItems": items(rig)}
    if "replyToId" in settings:
        settings = {"replyToId": (await publish(rig, rig.context("first"))).platform_post_id}
    context = rig.context("Hi", [rig.sandbox.media(name, "described") for name in names], settings=settings)
    async with noting() as (client, requests):
        published = await every_step(rig, context, client)
        assert isinstance(published, Published)
        if "threadItems" in settings:
            # A lost reply is searched for among the replies.
            del context.handles["thread"]["1"]["id"]
            await PLATFORM.complete(rig.connection(client), context, published)
    sent = [
        (
            request.method,
            re.sub(r"(?<=/)\d+(?=/|$)", "{id}", request.url.path.removeprefix("/threads/v1.0"))[1:],
            set(parse_qs(request.content.decode())) | set(request.url.params),
        )
        for request in requests
    ]
    assert sent
    for method, path, used in sent:
        assert (method, path) in known(), path
        assert used <= known()[method, path] | (PAGING if method == "GET" else set()), path
    assert {"me/threads", "me/threads_publish"} <= {path for _, path, _ in sent}
    assert bool({"threadItems", "replyToId"} & settings.keys()) is ("me/replies" in {path for _, path, _ in sent})


async def test_the_quota_is_asked_for_by_its_name(connect: Connect) -> None:
    rig: Rig = await connect("threads")
    assert ("GET", "me/threads_publishing_limit") in known()
    quota = await node(rig, "me/threads_publishing_limit", variables()["fields_quota"].partition(",delete")[0])
    assert quota["data"][0]["config"] == {"quota_total": 250, "quota_duration": 86_400}


def test_the_fields_that_are_read_exist() -> None:
    assert set(POST_FIELDS.split(",")) <= set(variables()["fields_threads"].split(","))
    assert set(POST_FIELDS.split(",")) <= set(variables()["fields_replies"].split(","))
    assert {"id", "username"} <= set(variables()["fields_profile"].split(","))
    assert {"quota_usage", "config"} <= set(variables()["fields_quota"].split(","))
    assert variables()["fields_container"] == "id,status,error_message"


def test_a_misspelt_name_would_be_seen() -> None:
    assert "text" in known()["POST", "me/threads"]
    assert "topicTag" not in known()["POST", "me/threads"]
