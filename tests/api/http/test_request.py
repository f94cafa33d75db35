"""Requests: one response reports every error in query, headers and body, as sentences of ours."""

from typing import Annotated, Any, Literal

import pytest
from litestar.testing import RequestFactory
from pydantic import BaseModel, Field, field_validator

from api.http.body_validation import in_contract_order, read
from api.http.headers import preferred_wait
from domain.errors import Problem
from tests.api.conftest import Client, problems


class Inner(BaseModel):
    name: Annotated[str, Field(min_length=2)]


class Everything(BaseModel, strict=True, extra="forbid"):
    text: Annotated[str, Field(max_length=3)] = ""
    number: Annotated[int, Field(ge=1, le=5)] = 1
    share: float = 0
    flag: bool = False
    choice: Literal["a", "b"] = "a"
    only: Literal["a"] = "a"
    code: Annotated[str, Field(pattern="^x+$")] = "x"
    items: Annotated[list[int], Field(min_length=1, max_length=2)] = [1]
    inner: Inner | None = None
    free: dict[str, Any] = {}
    even: int = 0

    @field_validator("even")
    @classmethod
    def _even(cls, value: int) -> int:
        if value % 2:
            raise ValueError("must be even")
        return value


@pytest.mark.parametrize(
    ("payload", "sentence"),
    [
        ({"text": 1}, "text must be a string"),
        ({"text": "long"}, "text may be at most 3 characters long"),
        ({"number": "1"}, "number must be a whole number"),
        ({"number": 0}, "number must be at least 1"),
        ({"number": 6}, "number must be at most 5"),
        ({"share": "x"}, "share must be a number"),
        ({"flag": 1}, "flag must be true or false"),
        ({"choice": "c"}, "choice must be one of a, b"),
        ({"only": "c"}, "only must be a"),
        ({"code": "y"}, "code is not in the right form"),
        ({"items": 1}, "items must be an array"),
        ({"items": []}, "items must hold at least 1 item"),
        ({"items": [1, 2, 3]}, "items may hold at most 2 items"),
        ({"items": [1, "2"]}, "items.1 must be a whole number"),
        ({"inner": []}, "inner must be an object"),
        ({"inner": {}}, "inner.name is required"),
        ({"inner": {"name": "x"}}, "inner.name must be at least 2 characters long"),
        ({"free": 1}, "free must be an object"),
        ({"even": 1}, "even must be even"),
        ({"choise": "a"}, "choise is not a known field; did you mean choice?"),
        ({"qqqqqqqq": "a"}, "qqqqqqqq is not a known field"),
    ],
)
def test_messages_are_readable(payload: dict[str, Any], sentence: str) -> None:
    _, (problem,) = read(Everything, payload)
    assert problem.error == sentence
    assert problem.param == sentence.split(maxsplit=1)[0]


def test_valid_fields_are_read_despite_problems() -> None:
    body, problems = read(Everything, {"text": "abc", "flag": "no", "zebra": 1})
    assert body is not None
    assert (body.text, body.flag) == ("abc", False)
    assert [problem.param for problem in problems] == ["flag", "zebra"]


class Target(BaseModel):
    platform: str
    account_id: str = Field(alias="accountId")


class Many(BaseModel):
    content: str
    platforms: list[Target] | None


def test_problems_sort_by_position_and_unknown_names_last() -> None:
    params = [
        "zebra",
        "platfroms",
        "platforms.10.accountId",
        "platforms.2.accountId",
        "platforms.2.platform",
        "platforms",
        "content",
    ]
    problems = [
        Problem("wrong", "unknown_parameter" if param == "platfroms" else "conflict", param)
        for param in (*params, "content")
    ]
    assert [problem.param for problem in in_contract_order(Many, problems)] == [
        "content",
        "platfroms",
        "platforms",
        "platforms.2.platform",
        "platforms.2.accountId",
        "platforms.10.accountId",
        "zebra",
    ]


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=10", 10),
        ("wait=0", 0),
        ("WAIT = 7", 7),
        ('wait="5"', 5),
        ("respond-async, wait=10", 10),
        ("wait=3; note=x", 3),
        ("wait=3, wait=9", 3),
        ("wait=100", 60),
        ("wait=-1", None),
        ("wait=ten", None),
        ("wait=1.5", None),
        ("wait=9999999999999", None),
        ("wait=٣", None),
        ("wait", None),
        (",,;=", None),
        ("", None),
    ],
)
def test_wait(prefer: str, seconds: int | None) -> None:
    request = RequestFactory().get("/", headers={"Prefer": prefer})
    assert preferred_wait(request) == seconds


def test_nothing_is_preferred_by_default() -> None:
    assert preferred_wait(RequestFactory().get("/")) is None


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
