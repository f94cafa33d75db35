"""A report contains the protocol's words and nothing else, whatever a platform's responses contain."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cli.live_check.report import headers_shape, path_shape, value_shape

SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=12)
JSON = st.dictionaries(st.text(max_size=8), st.lists(SCALARS, max_size=3) | SCALARS, max_size=3)
SECRET = "EAAB7r4Qd0xyz1234567890"


@pytest.mark.parametrize(
    ("value", "shape"),
    [
        (
            {"id": "178", "ok": True, "n": 3, "at": None},
            {"id": "string of digits", "ok": "boolean", "n": "integer", "at": "null"},
        ),
        ({"access_token": SECRET}, {"access_token": "string"}),
        (
            {"error": {"code": 100, "error_subcode": 33, "message": SECRET}},
            {"error": {"code": "integer 100", "error_subcode": "integer 33", "message": "string"}},
        ),
        ({"code": SECRET}, {"code": "string"}),
        ({"status": "FINISHED"}, {"status": "string FINISHED"}),
        ({"17841400000000000": {"a": 1}}, {"…": {"a": "integer"}}),
        ([{"a": 1}, {"a": 2}, {"b": ""}], [{"a": "integer"}, {"b": "string, empty"}, "3 in all"]),
        ([], []),
        ("https://example.com/?token=1", "string, address"),
        ("2026-01-02T03:04:05Z", "string, time"),
    ],
)
def test_values_become_types(value: Any, shape: Any) -> None:
    assert value_shape(value) == shape


@given(JSON, st.sampled_from(["token", "code", "error", "status", "x"]))
def test_no_secret_is_recorded(value: Any, name: str) -> None:
    shape = json.dumps(value_shape({name: SECRET, "more": [value, {name: SECRET}]}))
    assert SECRET not in shape


@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("/2/tweets/19283", "/2/tweets/…"),
        ("/v25.0/me/accounts", "/v25.0/me/accounts"),
        ("/xrpc/app.bsky.video.uploadVideo", "/xrpc/app.bsky.video.uploadVideo"),
        ("/bot123456:AAF-abc/sendMessage", "/…/sendMessage"),
        ("/webhooks/1/abcDEF123", "/webhooks/1/…"),
        ("/user/Ada/submitted", "/user/…/submitted"),
        ("/rest/posts/urn%3Ali%3Ashare%3A1", "/rest/posts/…"),
        ("/a?token=secret", "/a"),
    ],
)
def test_paths_keep_their_words(path: str, shape: str) -> None:
    assert path_shape(path, frozenset({"ada"})) == shape


def test_only_headers_about_limits_are_recorded() -> None:
    known_fields = {
        "Content-Type": "application/json; charset=utf-8",
        "X-RateLimit-Remaining": "42",
        "x-ratelimit-limit": f"100;{SECRET * 9}",
        "Set-Cookie": SECRET,
        "x-business-use-case-usage": f'{{"{SECRET}": 1}}',
    }
    assert headers_shape(known_fields) == {
        "content-type": "application/json; charset=utf-8",
        "x-ratelimit-limit": "…",
        "x-ratelimit-remaining": "42",
    }
