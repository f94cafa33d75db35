"""Requests of commands to the API: which are repeated, with which key, and what a person reads if they fail."""

import time
from pathlib import Path

import pytest

from cli.client.api import Api, ApiClient, find_api
from cli.client.refusals import RefusedError, UnavailableError
from cli.connect import set_page, set_when_unreadable
from cli.errors import UserError
from tests.cli.client.scripted import DROP, answering

KEY = "sk_secret"
BUSY: tuple[int, dict[str, str], dict[str, str]] = (
    503,
    {"error": "Too busy", "code": "unavailable"},
    {"Retry-After": "0"},
)
DONE: tuple[int, dict[str, str], dict[str, str]] = (200, {"id": "post_1"}, {})


@pytest.fixture(autouse=True)
def immediate(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    return waits


def test_a_change_is_repeated_with_one_key() -> None:
    with answering(DROP, BUSY, DONE) as server, ApiClient(Api(server.url, KEY)) as client:
        assert client.change("POST", "/v1/posts", json={"content": "x"}).body == {"id": "post_1"}
    keys = {headers["Idempotency-Key"] for _, _, headers, _ in server.requests}
    assert (len(server.requests), len(keys)) == (3, 1)
    assert {body for *_, body in server.requests} == {b'{"content":"x"}'}


def test_a_change_without_an_answer_names_its_key() -> None:
    again = r"may have been carried out.*--idempotency-key mine"
    with (
        answering(DROP, DROP, DROP, DROP) as server,
        ApiClient(Api(server.url, KEY)) as client,
        pytest.raises(UnavailableError, match=again) as raised,
    ):
        client.change("POST", "/v1/posts", "mine", json={})
    assert raised.value.exit_code == 3
    with ApiClient(Api(server.url, KEY)) as client, pytest.raises(UnavailableError) as raised:
        client.change("POST", "/v1/posts", "mine", json={})
    assert "may have been" not in raised.value.message, "no connection: nothing was sent"


def test_a_request_without_a_key_is_sent_once() -> None:
    with answering(BUSY) as server, ApiClient(Api(server.url, KEY)) as client, pytest.raises(UnavailableError):
        client.post_once("/v1/connect/twitter", {})
    assert len(server.requests) == 1


def test_a_wait_that_the_api_asks_for_is_kept_or_left_to_the_person(immediate: list[float]) -> None:
    soon, late = (429, BUSY[1], {"Retry-After": "7"}), (429, BUSY[1], {"Retry-After": "3600"})
    with answering(soon, DONE, late) as server, ApiClient(Api(server.url, KEY)) as client:
        client.get("/v1/posts/post_1")
        assert immediate == [7.0]
        with pytest.raises(UnavailableError, match="Too busy"):
            client.get("/v1/posts/post_1")


def test_pages_are_read_only_as_far_as_needed() -> None:
    pages = [
        {"posts": [{"id": "1"}, {"id": "2"}], "hasMore": True, "cursor": "c"},
        {"posts": [{"id": "3"}], "hasMore": True, "cursor": "d"},
    ]
    with answering((200, pages[0], {}), (200, pages[1], {})) as server, ApiClient(Api(server.url, KEY)) as client:
        assert [post["id"] for post in client.pages("/v1/posts", {"tag": "a"}, "posts", 3)] == ["1", "2", "3"]
    assert [path for _, path, _, _ in server.requests] == [
        "/v1/posts?tag=a&limit=3",
        "/v1/posts?tag=a&limit=1&cursor=c",
    ]


def test_a_refusal_names_each_problem_and_its_place() -> None:
    problems: list[dict[str, object]] = [
        {
            "error": "Instagram requires media.",
            "code": "media_refused",
            "row": 4,
            "platform": "instagram",
            "accountId": "i",
        },
        {"error": "No such zone", "code": "invalid_field_value", "param": "timezone"},
    ]
    refusal = {"error": problems[0]["error"], "code": "media_refused", "errors": problems}
    with (
        answering((422, refusal, {})) as server,
        ApiClient(Api(server.url, KEY)) as client,
        pytest.raises(RefusedError) as raised,
    ):
        client.change("POST", "/v1/posts", json={})
    assert raised.value.message.splitlines() == [
        "2 problems:",
        "  row 4, instagram/i: Instagram requires media (media_refused).",
        "  timezone: No such zone (invalid_field_value).",
    ]
    assert raised.value.exit_code == 1


def test_another_servers_page_is_no_answer() -> None:
    page: tuple[int, bytes, dict[str, str]] = (200, b"<html>", {})
    with (
        answering(page) as server,
        ApiClient(Api(server.url, KEY)) as client,
        pytest.raises(UserError, match="Is SOCIALSYNCER_API_URL that of the API"),
    ):
        client.get("/v1/me")


def test_the_key_is_read_from_a_file_and_shown_nowhere(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    api = find_api(None, "https://posts.example.com/", "sk_other", file)
    assert (api.url, api.key) == ("https://posts.example.com", KEY)
    assert KEY not in repr(api)
    for content in (f"{KEY} {KEY}", "", "\x00ü"):
        file.write_text(content)
        with pytest.raises(UserError) as raised:
            find_api(None, "https://posts.example.com", None, file)
        assert "sk_" not in raised.value.message
    with pytest.raises(UserError, match="https://"):
        find_api(None, "http://posts.example.com", KEY)
    with pytest.raises(UserError, match="SOCIALSYNCER_API_KEY"):
        find_api(None, "https://posts.example.com", None)


def test_the_page_of_a_workspace_is_sent_with_its_picture(tmp_path: Path) -> None:
    (logo := tmp_path / "logo.png").write_bytes(b"\x89PNG")
    with answering(DONE, DONE) as server:
        set_page(Api(server.url, KEY), "Acme", logo)
        set_page(Api(server.url, KEY), None, None)
    assert [(method, path, body) for method, path, _, body in server.requests] == [
        ("PUT", "/v1/connect/page", b'{"name":"Acme","logo":"iVBORw=="}'),
        ("PUT", "/v1/connect/page", b"{}"),
    ]


def test_choice_for_unreadable_platforms_is_sent_for_an_account_or_for_all() -> None:
    with answering(DONE, DONE) as server:
        set_when_unreadable(Api(server.url, KEY), "askMe", None)
        set_when_unreadable(Api(server.url, KEY), "resendOnce", "telegram/tg_-100/1")
    assert [(method, path, body) for method, path, _, body in server.requests] == [
        ("PUT", "/v1/accounts/settings", b'{"whenUnreadable":"askMe"}'),
        ("PATCH", "/v1/accounts/telegram/tg_-100%2F1", b'{"whenUnreadable":"resendOnce"}'),
    ]
