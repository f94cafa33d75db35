"""Every request to Discord must be one that its own OpenAPI document allows."""

import json
import re
from typing import Any

import httpx
import jsonschema_rs
import pytest

from platforms.base import Published
from tests.platforms.discord.rig import as_webhook
from tests.platforms.post_steps import every_step
from tests.platforms.rig import Connect, noting
from tests.platforms.specs import document, read_form, validate

DOCUMENT = "discord/openapi.json"

EMBED = {
    "title": "Release",
    "description": "What is new",
    "url": "https://example.com",
    "color": 5793266,
    "timestamp": "2026-01-20T09:00:00Z",
    "author": {"name": "Ada", "url": "https://example.com", "iconUrl": "https://example.com/a.png"},
    "footer": {"text": "12", "iconUrl": "https://example.com/a.png"},
    "image": {"url": "https://example.com/a.png"},
    "thumbnail": {"url": "https://example.com/a.png"},
    "fields": [{"name": "a", "value": "b", "inline": True}],
}
SHARED = {
    "embeds": [EMBED],
    "suppressEmbeds": True,
    "silent": True,
    "tts": True,
    "allowedMentions": ["users", "everyone"],
    "threadId": "334385199974967042",
}
POLL = {"question": "Tea or coffee?", "options": ["Tea", "Coffee"], "durationHours": 48, "multiple": True}
OF_WEBHOOKS = {"username": "Ada", "avatarUrl": "https://example.com/a.png", "threadName": "News"}
PATHS = {
    r"/channels/\d+": "/channels/{channel_id}",
    r"/channels/\d+/messages": "/channels/{channel_id}/messages",
    r"/users/@me": "/users/@me",
    r"/webhooks/\d+/[\w-]+": "/webhooks/{webhook_id}/{webhook_token}",
}


def check(name: str, body: dict[str, Any]) -> None:
    validate(DOCUMENT, name, body)
    # The document permits additional properties, so a misspelt name is only detected by an explicit check.
    known_names(document(DOCUMENT)["components"]["schemas"][name], body)


def known_names(schema: dict[str, Any], value: Any) -> None:
    options = [resolved(option) for option in schema.get("oneOf", [schema])]
    schema = next((option for option in options if option.get("properties") or option.get("items")), schema)
    if isinstance(value, list):
        for item in value:
            known_names(resolved(schema["items"]), item)
    if isinstance(value, dict):
        assert value.keys() <= schema["properties"].keys()
        for name, inner in value.items():
            known_names(resolved(schema["properties"][name]), inner)


def resolved(schema: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in schema:
        return schema
    entry: dict[str, Any] = document(DOCUMENT)["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return entry


def read_body(request: httpx.Request) -> dict[str, Any]:
    if request.headers["content-type"] == "application/json":
        body: dict[str, Any] = json.loads(request.content)
        return body
    form = read_form(request)
    body = json.loads(form.pop("payload_json"))
    assert set(form) == {f"files[{attachment['id']}]" for attachment in body["attachments"]}
    return body


def template(request: httpx.Request) -> str:
    path = request.url.path.removeprefix("/discord")
    [known] = [known for pattern, known in PATHS.items() if re.fullmatch(pattern, path)]
    return known


@pytest.mark.parametrize("names", [[], ["a.jpg", "b.mp4"]])
@pytest.mark.parametrize(
    ("kind", "settings"),
    [
        ("bot", {}),
        ("bot", SHARED),
        ("bot", {"poll": POLL}),
        ("hook", {"poll": POLL}),
        ("bot", {"channelId": "334385199974967042"}),
        ("webhook", {}),
        ("webhook", SHARED),
        ("webhook", OF_WEBHOOKS),
    ],
)
async def test_every_request_is_allowed(
    connect: Connect, kind: str, settings: dict[str, Any], names: list[str]
) -> None:
    rig = await (connect("discord") if kind == "bot" else as_webhook(connect))
    context = rig.context("Hi", [rig.sandbox.media(name, "described") for name in names], settings=settings)
    async with noting() as (client, sent):
        finding = await every_step(rig, context, client)
    assert isinstance(finding, Published) is (kind == "bot")
    for request in sent:
        described = document(DOCUMENT)["paths"][template(request)]
        operation = described[request.method.lower()]
        parameters = [*described.get("parameters", []), *operation.get("parameters", [])]
        queries = {
            resolved_parameter(parameter)["name"]
            for parameter in parameters
            if resolved_parameter(parameter)["in"] == "query"
        }
        assert set(request.url.params) <= queries
        assert request.headers["user-agent"].startswith("DiscordBot (")
        if request.method == "POST":
            assert request.headers["content-type"].partition(";")[0] in operation["requestBody"]["content"]
            check("MessageCreateRequest" if kind == "bot" else "IncomingWebhookRequestPartial", read_body(request))
    assert [request.method for request in sent].count("POST") == 1


def resolved_parameter(parameter: dict[str, Any]) -> dict[str, Any]:
    if "$ref" not in parameter:
        return parameter
    entry: dict[str, Any] = document(DOCUMENT)["components"]["parameters"][parameter["$ref"].rpartition("/")[2]]
    return entry


@pytest.mark.parametrize(
    "wrong",
    [
        {"contents": "x"},
        {"content": "x" * 4001},
        {"nonce": "x" * 26},
        {"allowed_mentions": {"parse": ["here"]}},
        {"embeds": [{"titel": "x"}]},
        {"attachments": [{"id": 0}]},
    ],
)
def test_a_misspelt_field_would_be_seen(wrong: dict[str, Any]) -> None:
    with pytest.raises((AssertionError, jsonschema_rs.ValidationError)):
        check("MessageCreateRequest", {"content": "Hi", **wrong})
