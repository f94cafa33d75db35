"""One response reports every error in query, headers and body."""

from typing import Any

import pytest

from tests.api.conftest import Client, problems

BOGUS = ("unknown_parameter", "bogus")


def messages(response: Any) -> list[tuple[str, str | None]]:
    assert response.status_code == 400, response.text
    return [(problem["code"], problem["param"]) for problem in problems(response)]


@pytest.fixture
async def draft(stranger: Client) -> str:
    post_id: str = (await stranger.send_post({"content": "draft"})).json()["id"]
    return post_id


@pytest.mark.parametrize(
    ("method", "path", "body", "expected"),
    [
        ("POST", "", {"content": 1, "tag": []}, [("invalid_field_value", "content"), ("unknown_parameter", "tag")]),
        ("POST", "", {"publishNow": True}, [("missing_required_field", "content")]),
        ("PATCH", "/{id}", {"tags": "x"}, [("invalid_field_value", "tags")]),
        ("PATCH", "/{id}", {"isDraft": True, "publishNow": True}, [("invalid_field_value", "isDraft")]),
        ("POST", "/{id}/edit", {"content": 1}, [("invalid_field_value", "content")]),
        ("POST", "/{id}/edit", {"content": " "}, [("missing_required_field", "content")]),
        ("POST", "/{id}/resolve", {"outcome": "lost"}, [("missing_required_field", "platform")]),
        ("POST", "/{id}/retry", {"content": "x"}, [("unknown_parameter", "content")]),
        ("DELETE", "/{id}", {"content": "x"}, [("unknown_parameter", "content")]),
    ],
)
async def test_query_and_body_problems_are_reported_together(
    stranger: Client, draft: str, method: str, path: str, body: Any, expected: list[tuple[str, str]]
) -> None:
    url = f"/v1/posts{path.format(id=draft)}"
    alone = messages(await stranger.request(method, url, json=body))
    assert set(expected) <= set(alone)
    assert messages(await stranger.request(method, f"{url}?bogus=1", json=body)) == [*alone, BOGUS]
    # The short form of the error describes the first error, which is in the body.
    assert (await stranger.request(method, f"{url}?bogus=1", json=body)).json()["param"] == alone[0][1]


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", ""),
        ("POST", "/validate"),
        ("PATCH", "/{id}"),
        ("POST", "/{id}/retry"),
        ("DELETE", "/{id}"),
        ("GET", ""),
        ("GET", "/{id}"),
        ("GET", "/{id}/attempts"),
    ],
)
async def test_query_problem_alone_is_reported(stranger: Client, draft: str, method: str, path: str) -> None:
    body = {"content": "sound"} if path in {"", "/validate", "/{id}"} and method in {"POST", "PATCH"} else None
    url = f"/v1/posts{path.format(id=draft)}?bogus=1"
    assert messages(await stranger.request(method, url, json=body)) == [BOGUS]
    assert [post["content"] for post in (await stranger.get("/v1/posts")).json()["posts"]] == ["draft"]


async def test_query_problem_with_an_unexpected_body_is_reported(stranger: Client) -> None:
    response = await stranger.post("/v1/posts?bogus=1", content=b"{")
    assert messages(response) == [("invalid_json", None), BOGUS]


async def test_key_query_and_body_problems_are_reported_together(stranger: Client) -> None:
    response = await stranger.post("/v1/posts?bogus=1", json={"tags": 1}, headers={"Idempotency-Key": "k" * 256})
    assert [param for _, param in messages(response)] == ["content", "tags", "bogus", "Idempotency-Key"]
    response = await stranger.post("/v1/posts", json={"tags": 1}, headers={"Idempotency-Key": ""})
    assert [param for _, param in messages(response)] == ["content", "tags", "Idempotency-Key"]


async def test_query_problem_is_reported_among_too_many_problems(stranger: Client) -> None:
    problems = messages(await stranger.post("/v1/posts?bogus=1", json={f"f{n}": 1 for n in range(150)}))
    assert (len(problems), problems[-1]) == (100, BOGUS)


async def test_all_invalid_list_parameters_are_reported(stranger: Client) -> None:
    response = await stranger.get("/v1/posts?bogus=1&limit=0&status=x&tag=&platform=twitter")
    assert [param for _, param in messages(response)] == ["status", "limit", "bogus", "tag"]


async def test_a_query_problem_is_reported_before_the_post_is_read(stranger: Client) -> None:
    response = await stranger.patch(f"/v1/posts/post_{'0' * 32}?bogus=1", json={"tags": 1})
    assert messages(response) == [("invalid_field_value", "tags"), BOGUS]


async def test_no_parameter_but_a_list_may_be_given_twice(stranger: Client) -> None:
    paths = (await stranger.get("/openapi.json")).json()["paths"]
    names = [
        (path, parameter["name"])
        for path, operations in paths.items()
        for parameter in operations.get("get", {}).get("parameters", [])
        if path.startswith("/v1/") and "{" not in path
        if parameter["in"] == "query" and parameter["schema"].get("type") != "array"
    ]
    assert ("/v1/posts", "platform") in names
    for path, name in names:
        response = await stranger.get(f"{path}?{name}=null&{name}=null")
        assert ("invalid_field_value", name) in messages(response), path
