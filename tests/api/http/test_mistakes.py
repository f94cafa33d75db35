"""Mistakes of newcomers: the sentence of the answer says what is wrong with the field, and what to send."""

from typing import Any

import httpx
import pytest

Client = httpx.AsyncClient
JSON = {"Content-Type": "application/json"}
CLOCK = "must be a time of day such as 09:00"
WALL = "must be a wall time without an offset, such as 2030-03-04T09:00"
WALL_OR_DAY = "must be a day, or a wall time without an offset, such as 2030-12-24 or 2030-12-24T09:00"
SERIES: dict[str, Any] = {
    "timezone": "Europe/Berlin",
    "start": "2030-03-04T09:00",
    "recurrence": {"frequency": "weekly"},
}
SLOT = {"days": ["mo"], "time": "09:00"}


def series(**fields: Any) -> tuple[str, dict[str, Any]]:
    return "series/preview", SERIES | fields


def queue(**slot: Any) -> tuple[str, dict[str, Any]]:
    return "queues", {"name": "Mornings", "timezone": "Europe/Berlin", "slots": [SLOT | slot]}


def file(**fields: Any) -> tuple[str, dict[str, Any]]:
    return "media/presign", {"filename": "a.jpg", "contentType": "image/jpeg", **fields}


@pytest.mark.parametrize(
    ("request_", "param", "sentence"),
    [
        (series(start="2030-03-04"), "start", WALL),
        (series(start="2030-03-04T09:00:00Z"), "start", WALL),
        (series(exclude=["xmas"]), "exclude.0", WALL_OR_DAY),
        (series(recurrence={"frequency": "daily", "times": ["9:00"]}), "recurrence.times.0", CLOCK),
        (series(recurrence={"frequency": "daily", "times": ["0\u0669:00"]}), "recurrence.times.0", CLOCK),
        (queue(time="9:00"), "slots.0.time", CLOCK),
        (queue(time="9am"), "slots.0.time", CLOCK),
        (queue(time="24:00"), "slots.0.time", CLOCK),
        (queue(time="09:00:30"), "slots.0.time", CLOCK),
        (file(contentType="jpg"), "contentType", "must be a media type such as image/jpeg"),
        (file(sha256="abc"), "sha256", "must be 64 hexadecimal digits"),
        (
            ("campaigns", {"name": "Winter", "blackouts": [{"from": "2030-02-28", "to": "2030-02-30"}]}),
            "blackouts.0.to",
            "names a day that does not exist: February 2030 has no day 30",
        ),
        (
            ("posts/bulk", {"posts": [{"isDraft": True, "idempotencyKey": "schlüssel"}]}),
            "posts.0.idempotencyKey",
            "must be 1 to 255 printable ASCII characters",
        ),
        (
            ("posts", {"content": "Hello", "scheduledFor": "2027-02-30"}),
            "scheduledFor",
            "names a time that does not exist: February 2027 has no day 30",
        ),
        (("posts", {"text": "Hello"}), "text", "is not a known field; did you mean content?"),
        (("posts", {"content": "Hello", "media": []}), "media", "is not a known field; did you mean mediaItems?"),
        (
            ("posts", {"content": "Hello", "publishAt": "2030-03-04T09:00"}),
            "publishAt",
            "is not a known field; did you mean scheduledFor?",
        ),
        (("campaigns", {"title": "Winter"}), "title", "is not a known field; did you mean name?"),
        (("campaigns", {"name": "Winter", "status": "active"}), "status", "is not a known field"),
        (
            ("connect/bluesky", {"username": "ada", "password": "hunter2"}),
            "credentials",
            "is required: GET /v1/connect/bluesky lists what it holds",
        ),
    ],
    ids=str,
)
async def test_answer_to_a_wrong_field_says_what_to_send(
    api: Client, request_: tuple[str, dict[str, Any]], param: str, sentence: str
) -> None:
    path, body = request_
    answer = await api.post(f"/v1/{path}", json=body, headers={"Idempotency-Key": "a-mistake"})
    sentences = {problem["param"]: problem["error"] for problem in answer.json()["errors"]}
    assert answer.status_code == 400
    assert sentences[param] == f"{param} {sentence}"


@pytest.mark.parametrize(
    ("platform", "settings", "param", "sentence"),
    [
        (
            "instagram",
            {"contentType": "reel"},
            "contentType",
            "must be story, or left out: a video alone is published as a reel",
        ),
        (
            "discord",
            {"embeds": [{"color": 5}]},
            "embeds.0",
            "must have something to show, such as a title or a description",
        ),
    ],
)
async def test_answer_to_a_wrong_setting_says_what_to_send(
    api: Client, platform: str, settings: dict[str, Any], param: str, sentence: str
) -> None:
    target = {"platform": platform, "accountId": "any", "platformSpecificData": settings}
    answer = await api.post("/v1/posts/validate", json={"content": "Hello", "platforms": [target], "publishNow": True})
    place = f"platforms.0.platformSpecificData.{param}"
    assert f"{place} {sentence}" in [problem["error"] for problem in answer.json()["errors"]]


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("FREQ=MONTHLY;BYMONTHDAY=31", "not every month has 31 days: add SKIP=OMIT or SKIP=BACKWARD"),
        ("DTSTART:20300101T090000\nRRULE:FREQ=DAILY", "leave DTSTART out: `start` says when the series begins"),
    ],
)
async def test_answer_to_a_wrong_rrule_speaks_of_the_text(api: Client, rule: str, sentence: str) -> None:
    answer = await api.post("/v1/series/preview", json=SERIES | {"recurrence": {"rrule": rule}})
    assert answer.json()["error"] == f"recurrence.rrule: {sentence}"


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "The body is empty: send a JSON object"),
        (b'\xef\xbb\xbf{"content": "Hello"}', "The body begins with a byte order mark: send UTF-8 without it"),
    ],
)
async def test_answer_to_an_invisible_mistake_names_it(api: Client, raw: bytes, sentence: str) -> None:
    answer = await api.post("/v1/posts", content=raw, headers=JSON)
    assert (answer.status_code, answer.json()["error"]) == (400, sentence)


@pytest.mark.parametrize("value", ["null", "yes", ""])
async def test_status_refuses_a_wrong_parameter_as_documented(api: Client, value: str) -> None:
    answer = await api.get(f"/statusz?strict={value}")
    assert (answer.status_code, answer.json()["param"]) == (400, "strict")
    assert answer.json()["error"] == "strict must be true or false"


async def test_media_at_a_port_that_is_not_called_are_a_warning(api: Client) -> None:
    body = {"isDraft": True, "mediaItems": [{"type": "image", "url": "https://example.com:22/a.jpg"}]}
    (warning,) = (await api.post("/v1/posts/validate", json=body)).json()["warnings"]
    assert (warning["code"], warning["param"]) == ("media_refused", "mediaItems.0")
    assert "this port is not called" in warning["error"]
