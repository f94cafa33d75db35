"""Every body sent to X must be one that X's own OpenAPI document allows."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import jsonschema_rs
import pytest

from domain.post import Media
from platforms.twitter import PLATFORM
from platforms.twitter.access import call
from platforms.twitter.lookup import FIELDS
from tests.platforms.post_steps import publish
from tests.platforms.rig import Connect, Sandbox, noting
from tests.platforms.specs import document, needs, read_form, validate

DOCUMENT = "x/x-api-v2-openapi.docs.json"

pytestmark = needs(DOCUMENT)

BODIES = {
    "/2/tweets": "CreatePostsRequest",
    "/2/media/upload": "MediaUploadRequest",
    "/2/media/upload/initialize": "InitializeMediaUploadRequest",
    "/2/media/upload/{id}/append": "AppendMediaUploadRequest",
    "/2/media/metadata": "CreateMediaMetadataRequest",
    "/2/media/subtitles": "CreateMediaSubtitlesRequest",
}
CAPTIONS = [{"language": "en", "name": "English", "url": "/_/media/waves.srt"}]
NUMBERS = ("segment_index",)


def template(path: str) -> str:
    return "/".join(
        "{id}" if part.isdigit() and len(part) > 5 else part for part in path.removeprefix("/twitter").split("/")
    )


def read_body(request: httpx.Request) -> dict[str, Any]:
    if request.headers["content-type"] == "application/json":
        body: dict[str, Any] = json.loads(request.content)
        return body
    return {
        name: "bytes" if isinstance(value, bytes) else int(value) if name in NUMBERS else value
        for name, value in read_form(request).items()
    }


@pytest.fixture
async def send(connect: Connect) -> Callable[..., Awaitable[list[httpx.Request]]]:
    async def publish_and_edit(text: str, *media: Media, **settings: Any) -> list[httpx.Request]:
        x = await connect("twitter", premium=True)
        if captions := settings.get("captions"):
            settings["captions"] = [{**caption, "url": x.sandbox.url + caption["url"]} for caption in captions]
        async with noting() as (client, requests):
            context = x.context(text, media, settings=settings)
            published = await publish(x, context, client)
            if not settings:
                await PLATFORM.edit(x.connection(client), published, f"{text}!", context.handles)
        return requests

    return publish_and_edit


Send = Callable[..., Awaitable[list[httpx.Request]]]


@pytest.mark.parametrize(
    ("media", "settings", "used"),
    [
        ((), {}, {"/2/tweets"}),
        ((), {"poll": {"options": ["Yes", "No"], "durationMinutes": 60}, "replySettings": "verified"}, {"/2/tweets"}),
        ((), {"replyToTweetId": "1445880548472328192", "replySettings": "following"}, {"/2/tweets"}),
        ((), {"quoteTweetId": "1445880548472328192", "replySettings": "subscribers"}, {"/2/tweets"}),
        (("a.jpg", "b.png"), {}, {"/2/tweets", "/2/media/upload", "/2/media/metadata"}),
        (("a.gif",), {}, BODIES.keys() - {"/2/media/upload", "/2/media/subtitles"}),
        (("a.mp4",), {}, BODIES.keys() - {"/2/media/upload", "/2/media/metadata", "/2/media/subtitles"}),
        (("a.mp4",), {"captions": CAPTIONS}, BODIES.keys() - {"/2/media/upload", "/2/media/metadata"}),
    ],
)
async def test_every_body_is_one_that_x_knows(
    send: Send, sandbox: Sandbox, media: tuple[str, ...], settings: dict[str, Any], used: set[str]
) -> None:
    sent = [
        request
        for request in await send("text", *(sandbox.media(name, "described") for name in media), **settings)
        if request.method == "POST" and request.content
    ]
    for request in sent:
        path = template(request.url.path)
        validate(DOCUMENT, BODIES[path], read_body(request))
        kind = request.headers["content-type"].partition(";")[0]
        assert kind in document(DOCUMENT)["paths"][path]["post"]["requestBody"]["content"]
    assert {template(request.url.path) for request in sent} == used


async def test_every_body_of_a_thread_is_one_that_x_knows(send: Send, sandbox: Sandbox) -> None:
    pictures = [{"type": "image", "url": sandbox.media("d.jpg").url, "altText": "described"}]
    items = [{"content": "second", "mediaItems": pictures}, {"content": "third"}]
    sent = [request for request in await send("text", threadItems=items) if request.method == "POST"]
    for request in sent:
        validate(DOCUMENT, BODIES[template(request.url.path)], read_body(request))
    bodies = [read_body(request) for request in sent if template(request.url.path) == "/2/tweets"]
    assert [sorted(body) for body in bodies] == [["text"], ["media", "reply", "text"], ["reply", "text"]]


async def test_every_request_is_to_a_path_and_with_a_query_that_x_knows(send: Send, sandbox: Sandbox) -> None:
    for request in await send("text", sandbox.media("c.mp4", "described")):
        assert request.method.lower() in document(DOCUMENT)["paths"][template(request.url.path)]


def test_a_misspelt_field_would_be_seen() -> None:
    with pytest.raises(jsonschema_rs.ValidationError):
        validate(DOCUMENT, "CreatePostsRequest", {"text": "a", "reply_setting": "following"})
    with pytest.raises(jsonschema_rs.ValidationError):
        validate(DOCUMENT, "AppendMediaUploadRequest", {"media": "bytes", "segmentIndex": 1})


async def test_every_field_that_is_asked_for_comes_back(connect: Connect) -> None:
    """X ignores names that it does not know: only the response shows that all names were known."""
    x = await connect("twitter", premium=True)
    first = await PLATFORM.publish(x.connection(), x.context("first"))
    long = "long https://example.com/a " * 30
    context = x.context(long, [x.sandbox.media("fields.jpg")], settings={"replyToTweetId": first.platform_post_id})
    await PLATFORM.prepare(x.connection(), context)
    second = await PLATFORM.publish(x.connection(), context)
    path = f"/2/tweets/{second.platform_post_id}"
    answer = await call(x.connection(), "GET", path, params={"tweet.fields": FIELDS})
    assert set(FIELDS.split(",")) <= answer["data"].keys()
    newer = await call(x.connection(), "GET", path, params={"post.fields": FIELDS})
    assert not {"note_tweet", "edit_history_tweet_ids", "referenced_tweets"} & newer["data"].keys()


def test_the_fields_that_are_read_exist() -> None:
    # The document has newer names for fields that the responses still have under the older names.
    newer = {
        "note_tweet": "note_post",
        "edit_history_tweet_ids": "edit_history_post_ids",
        "referenced_tweets": "referenced_posts",
    }
    known = document(DOCUMENT)["components"]["schemas"]["Post"]["properties"]
    assert {newer.get(name, name) for name in FIELDS.split(",")} <= known.keys()
    assert {"username", "verified_type", "subscription_type"} <= document(DOCUMENT)["components"]["schemas"]["User"][
        "properties"
    ].keys()
