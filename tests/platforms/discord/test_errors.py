"""The meaning of each error of Discord."""

from datetime import timedelta
from typing import Any

import httpx
import pytest

from platforms.discord.errors import error_of
from platforms.errors import ErrorKind, PlatformError


def refusal(status: int, code: int = 0, headers: dict[str, str] | None = None, **more: Any) -> PlatformError:
    return error_of(httpx.Response(status, json={"code": code, "message": "its own words", **more}, headers=headers))


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, 0, ErrorKind.AUTH),
        (401, 50014, ErrorKind.AUTH),
        (401, 50027, ErrorKind.AUTH),
        (404, 10015, ErrorKind.AUTH),
        (404, 10003, ErrorKind.AUTH),
        (403, 50001, ErrorKind.AUTH),
        (403, 50013, ErrorKind.AUTH),
        (403, 40002, ErrorKind.AUTH),
        (400, 50006, ErrorKind.REJECTED),
        (413, 40005, ErrorKind.REJECTED),
        (413, 0, ErrorKind.REJECTED),
        (400, 240000, ErrorKind.REJECTED),
        (400, 220001, ErrorKind.REJECTED),
        (400, 50008, ErrorKind.REJECTED),
        (400, 50024, ErrorKind.REJECTED),
        (400, 40004, ErrorKind.REJECTED),
        (400, 99999, ErrorKind.REJECTED),
        (429, 0, ErrorKind.RATE_LIMITED),
        (429, 20016, ErrorKind.RATE_LIMITED),
        (429, 20028, ErrorKind.RATE_LIMITED),
        (429, 20029, ErrorKind.RATE_LIMITED),
        (400, 40006, ErrorKind.TRANSIENT),
        (503, 130000, ErrorKind.TRANSIENT),
        (500, 0, ErrorKind.TRANSIENT),
        (502, 0, ErrorKind.TRANSIENT),
    ],
)
def test_codes_have_a_kind_and_a_sentence(status: int, code: int, kind: ErrorKind) -> None:
    error = refusal(status, code, {"cf-ray": "8f2"})
    assert (error.kind, error.code) == (kind, str(code) if code else f"http_{status}")
    assert (error.status, error.request_id) == (status, "8f2")
    assert error.message


def test_the_message_about_messages_switched_off_is_for_people() -> None:
    assert refusal(400, 40004).message == "Sending messages is switched off at Discord for now."


def test_a_form_tells_its_faults_with_their_place() -> None:
    tree = {
        "content": {"_errors": [{"code": "BASE_TYPE_MAX_LENGTH", "message": "Must be 2000 or fewer in length."}]},
        "embeds": {"0": {"title": {"_errors": [{"code": "X", "message": "Too long."}]}}},
    }
    assert refusal(400, 50035, errors=tree).message == (
        "Discord refused: content: Must be 2000 or fewer in length.; embeds.0.title: Too long."
    )
    top = {"_errors": [{"code": "X", "message": "No."}]}
    assert refusal(400, 50035, errors=top).message == "Discord refused: No."
    assert refusal(400, 50035).message == "Discord refused: its own words"


def test_the_wait_is_in_the_body_or_the_header() -> None:
    assert refusal(429, retry_after=64.57).retry_after == timedelta(seconds=64.57)
    assert refusal(429, headers={"Retry-After": "65"}).retry_after == timedelta(seconds=65)
    assert refusal(429, retry_after="soon").retry_after is None
    page = httpx.Response(429, text="<html>", headers={"Retry-After": "9"})
    assert error_of(page).retry_after == timedelta(seconds=9)
