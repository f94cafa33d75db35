"""Every request to Bluesky must be one that the AT Protocol's own lexicons allow, down to each field."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import httpx
import pytest
import regex

from platforms.bluesky import PLATFORM
from tests.platforms.bluesky.rig import sized
from tests.platforms.post_steps import every_step, publish
from tests.platforms.rig import Rig, noting
from tests.platforms.specs import document, read

__all__ = ["PLATFORM"]

FORMATS = {
    "at-uri": r"at://did:[a-z]+:[\w.:%-]+/[\w.]+/[\w.~:-]+",
    "at-identifier": r"did:[a-z]+:[\w.:%-]+|([\w-]+\.)+[A-Za-z]\w*",
    "cid": r"b[a-z2-7]{20,}",
    "datetime": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+(Z|[+-]\d\d:\d\d)",
    "did": r"did:[a-z]+:[\w.:%-]+",
    "handle": r"([\w-]+\.)+[A-Za-z]\w*",
    "language": r"[a-z]{2,3}(-\w+)*",
    "nsid": r"([a-z][\w-]*\.)+[A-Za-z]+",
    "record-key": r"[\w.~:-]{1,512}",
    "uri": r"\w+:(//)?[^\s/]\S*",
}


class Unknown(Exception):
    """A value does not fit its lexicon."""


def lexicon(name: str) -> dict[str, Any]:
    definitions: dict[str, Any] = document("bluesky/lexicons.json")[name]["defs"]
    return definitions


def need(holds: object, where: str, what: object) -> None:
    if not holds:
        raise Unknown(f"{where}: {what}")


def fits(  # noqa: C901 - one branch for each type that lexicons have
    schema: dict[str, Any], value: Any, home: str, where: str = "$"
) -> None:
    """Check a value against a schema, and reject fields that it does not name, which the protocol itself permits."""
    match schema["type"]:
        case "ref" | "union":
            refs = [schema["ref"]] if schema["type"] == "ref" else schema["refs"]
            named = {(ref if not ref.startswith("#") else home + ref): ref for ref in refs}
            kind = next(iter(named)) if schema["type"] == "ref" else value.get("$type")
            need(kind in named, where, f"{kind} is none of {list(named)}")
            name, _, part = str(kind).partition("#")
            fits(lexicon(name)[part or "main"], value, name, where)
        case "record":
            fits(schema["record"], value, home, where)
        case "object" | "params":
            fits_object(schema, value, home, where)
        case "array":
            need(len(value) <= schema.get("maxLength", len(value)), where, "too many")
            for index, inner in enumerate(value):
                fits(schema["items"], inner, home, f"{where}[{index}]")
        case "string":
            fits_string(schema, value, where)
        case "integer":
            need(str(value).isdecimal() and int(value) >= schema.get("minimum", 0), where, value)
        case "blob":
            fits_blob(schema, value, where)
        case "unknown":
            if value.get("$type"):
                fits(lexicon(value["$type"])["main"], value, value["$type"], where)
        case other:
            raise Unknown(f"{where}: a lexicon with {other}")


def fits_object(schema: dict[str, Any], value: Any, home: str, where: str) -> None:
    known = schema["properties"]
    need(set(schema.get("required", [])) <= set(value), where, f"{list(value)} lacks something")
    need(set(value) - {"$type"} <= set(known), where, f"{list(value)} has something unknown")
    for key, inner in value.items():
        if key in known:
            fits(known[key], inner, home, f"{where}.{key}")


def fits_string(schema: dict[str, Any], value: Any, where: str) -> None:
    need(isinstance(value, str), where, value)
    need(len(value.encode()) <= schema.get("maxLength", 10**9), where, "too long")
    need(len(regex.findall(r"\X", value)) <= schema.get("maxGraphemes", 10**9), where, "too many graphemes")
    if form := schema.get("format"):
        need(regex.fullmatch(FORMATS[form], value), where, f"{value} is no {form}")


def fits_blob(schema: dict[str, Any], value: Any, where: str) -> None:
    need(set(value) == {"$type", "ref", "mimeType", "size"}, where, value)
    need(value["size"] <= schema.get("maxSize", value["size"]), where, "too large")
    kinds = tuple(kind.removesuffix("*") for kind in schema.get("accept", [""]))
    need(value["mimeType"].startswith(kinds), where, value["mimeType"])


def check(request: httpx.Request) -> str:
    """Check a request against the lexicon of its method; returns the method's name."""
    name = request.url.path.rpartition("/")[2]
    method = lexicon(name)["main"]
    need(request.method == {"query": "GET", "procedure": "POST"}[method["type"]], name, request.method)
    if "parameters" in method:
        fits(method["parameters"], dict(request.url.params), name, name)
    elif name != "app.bsky.video.uploadVideo":  # its lexicon names none; the service itself requires did and name
        need(not request.url.params, name, request.url.params)
    encoding = method.get("input", {}).get("encoding")
    if encoding == "application/json":
        need(request.headers["content-type"] == encoding, name, request.headers["content-type"])
        fits(method["input"]["schema"], json.loads(request.content), name, name)
    elif encoding:
        need(encoding in {"*/*", request.headers["content-type"]}, name, encoding)
    else:
        need("content-type" not in request.headers, name, "a body that nobody reads")
    return name


@pytest.fixture
def send(rig: Rig) -> Callable[..., Awaitable[set[str]]]:
    """Publish, confirm and thread; returns the names of the methods that were called."""

    async def publish_all(text: str, *names: str, **settings: Any) -> set[str]:
        media = [rig.sandbox.media(name, "what it shows") for name in names]
        async with noting() as (client, requests):
            await every_step(rig, sized(rig, rig.context(text, media, settings=settings)), client)
        return {check(request) for request in requests}

    return publish_all


BASE = {
    "com.atproto.server.createSession",
    "com.atproto.server.getSession",
    "com.atproto.repo.putRecord",
    "com.atproto.repo.getRecord",
}
FULL = {"langs": ["en", "de-CH"], "labels": ["graphic-media"], "threadItems": [{"content": "second #two"}]}


@pytest.mark.parametrize(
    ("text", "names", "settings", "more"),
    [
        ("Hi", (), {}, set()),
        ("See https://example.com #tag", (), FULL, set()),
        ("", ("a.jpg", "b.png", "c.jpg", "d.jpg"), {}, {"com.atproto.repo.uploadBlob"}),
        (
            "Hi",
            ("a.mp4",),
            {},
            {
                "com.atproto.server.getServiceAuth",
                "app.bsky.video.getUploadLimits",
                "app.bsky.video.uploadVideo",
                "app.bsky.video.getJobStatus",
            },
        ),
    ],
)
async def test_every_request_is_one_that_the_lexicons_know(
    send: Callable[..., Awaitable[set[str]]],
    text: str,
    names: tuple[str, ...],
    settings: dict[str, Any],
    more: set[str],
) -> None:
    assert await send(text, *names, **settings) == BASE | more


async def test_cards_quotes_and_answers_too(rig: Rig, send: Callable[..., Awaitable[set[str]]]) -> None:
    named = (await publish(rig, rig.context("before"))).platform_post_id
    card = {"url": "https://example.com", "title": "Title", "thumbnail": f"{rig.sandbox.url}/_/media/card.jpg"}
    login = {"com.atproto.server.createSession"}
    assert await send("Hi", linkCard=card, quotePostId=named) | login == BASE | {"com.atproto.repo.uploadBlob"}
    assert await send("Hi", quotePostId=named, replyToPostId=named) | login == BASE


async def test_a_mention_and_a_renewed_session_too(rig: Rig, send: Callable[..., Awaitable[set[str]]]) -> None:
    await publish(rig, rig.context("before"))
    await rig.sandbox.fault("bluesky", "token_expired", "publish")
    used = await send(f"Hi @{rig.account.username}.bsky.social")
    assert {"com.atproto.identity.resolveHandle", "com.atproto.server.refreshSession"} <= used
    assert "com.atproto.server.createSession" not in used


def test_a_misspelt_field_would_be_seen() -> None:
    post = lexicon("app.bsky.feed.post")["main"]
    record = {"$type": "app.bsky.feed.post", "text": "a", "createdAt": "2026-01-15T10:00:00.000Z"}
    fits(post, record, "app.bsky.feed.post")
    for wrong in (
        {"lang": ["en"]},
        {"text": "x" * 301},
        {"embed": {"$type": "app.bsky.embed.image"}},
        {"createdAt": "now"},
    ):
        with pytest.raises(Unknown):
            fits(post, {**record, **wrong}, "app.bsky.feed.post")


async def test_the_time_of_a_record_is_written_as_the_protocol_prefers(rig: Rig) -> None:
    await publish(rig, rig.context("Hi"))
    written = rig.saved[-1]["records"]["post"]["createdAt"]
    vectors = read("bluesky/datetime_syntax_valid.txt").splitlines()
    preferred = vectors[1]
    assert [len(part) for part in regex.split(r"[-T:.Z]", written)] == [
        len(part) for part in regex.split(r"[-T:.Z]", preferred)
    ]
