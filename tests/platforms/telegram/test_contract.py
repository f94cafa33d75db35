"""Every call of Telegram must be one that the Bot API's machine-readable description contains."""

import json
from typing import Any

import httpx
import pytest

from tests.platforms.post_steps import every_step
from tests.platforms.rig import Connect, noting
from tests.platforms.specs import document, read_form

DOCUMENT = "telegram/bot-api.json"

MEDIA = {
    "parseMode": "HTML",
    "disableNotification": True,
    "protectContent": True,
    "hasSpoiler": True,
    "showCaptionAboveMedia": True,
    "messageThreadId": 3,
}
TEXT = {
    "parseMode": "MarkdownV2",
    "disableWebPagePreview": True,
    "disableNotification": True,
    "protectContent": True,
    "messageThreadId": 3,
}
PLAIN = {"Integer": int, "String": str, "Boolean": bool, "InputFile": bytes}


def check(fields: dict[str, Any], described: list[dict[str, Any]], where: str) -> None:
    known = {field["name"]: field for field in described}
    assert fields.keys() <= known.keys(), f"{where} does not know {fields.keys() - known.keys()}"
    assert {name for name, field in known.items() if field["required"]} <= fields.keys()
    for name, value in fields.items():
        assert any(fits(value, kind) for kind in known[name]["types"]), f"{where}.{name}: {value!r}"


def fits(value: Any, kind: str) -> bool:
    if kind in PLAIN:
        return type(value) is PLAIN[kind]
    if kind.startswith("Array of "):
        return isinstance(value, list) and all(fits(item, kind.removeprefix("Array of ")) for item in value)
    described = document(DOCUMENT)["types"][kind]["fields"]
    if not isinstance(value, dict):
        return False
    # An album mixes kinds, and the `type` of each item names its kind.
    if kind.startswith("InputMedia"):
        check(value, document(DOCUMENT)["types"][f"InputMedia{value['type'].capitalize()}"]["fields"], kind)
    else:
        check(value, described, kind)
    return True


def request_fields(request: httpx.Request) -> dict[str, Any]:
    if request.headers["content-type"] == "application/json":
        body: dict[str, Any] = json.loads(request.content)
        return body
    known = {field["name"]: field["types"] for field in document(DOCUMENT)["methods"][api_method(request)]["fields"]}
    return {
        name: json.loads(value)
        if isinstance(value, str) and "String" not in known.get(name, ["String"])[-1:]
        else value
        for name, value in read_form(request).items()
        if not name.startswith("file")
    }


def api_method(request: httpx.Request) -> str:
    return request.url.path.rpartition("/")[2]


@pytest.mark.parametrize(
    ("names", "settings", "method"),
    [
        ([], {}, "sendMessage"),
        ([], TEXT, "sendMessage"),
        (["a.jpg"], MEDIA, "sendPhoto"),
        (["a.mp4"], MEDIA, "sendVideo"),
        (["a.gif"], MEDIA, "sendAnimation"),
        (["a.pdf"], MEDIA | {"hasSpoiler": False, "showCaptionAboveMedia": False}, "sendDocument"),
        (["a.pdf", "b.pdf"], {}, "sendMediaGroup"),
        (["a.jpg", "b.mp4"], MEDIA | {"hasSpoiler": False}, "sendMediaGroup"),
        (["a.jpg", "b.mp4"], {}, "sendMediaGroup"),
    ],
)
async def test_every_call_is_described(
    connect: Connect, names: list[str], settings: dict[str, Any], method: str
) -> None:
    rig = await connect("telegram")
    async with noting() as (client, sent):
        await every_step(rig, rig.context("Hi", [rig.sandbox.media(name) for name in names], settings=settings), client)
    assert [api_method(request) for request in sent] == ["getMe", "getChat", "getChatMember", method]
    for request in sent:
        check(
            request_fields(request),
            document(DOCUMENT)["methods"][api_method(request)].get("fields", []),
            api_method(request),
        )


def test_a_misspelt_field_would_be_seen() -> None:
    described = document(DOCUMENT)["methods"]["sendMessage"]["fields"]
    for wrong in ({"chatId": 1}, {"protect_content": "true"}, {"link_preview_options": {"disabled": True}}):
        with pytest.raises(AssertionError):
            check({"chat_id": 1, "text": "Hi"} | wrong, described, "sendMessage")
    with pytest.raises(AssertionError):
        check({"text": "Hi"}, described, "sendMessage")
