"""One error shape for every request; no client's request causes an internal error."""

import gzip
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import httpx
import pytest
import structlog
from sqlalchemy import text
from structlog.testing import capture_logs

from api.dependencies import Dependencies
from cli.stack.ports import free_port
from domain.codes import PROBLEM_CODES
from store.database import OF_REQUESTS, Database, TimeLimits
from tests.api.conftest import Client, make_client
from tests.serving import app_over
from tests.stack import Stack

JSON = {"Content-Type": "application/json"}


def check_shape(response: httpx.Response) -> dict[str, Any]:
    body: dict[str, Any] = response.json()
    first = body["errors"][0]
    assert set(body) == {"error", "type", "code", "errors"} | ({"param"} if first["param"] else set())
    beside = {"platform", "accountId", "platformCode"}
    assert all(set(problem) - beside == {"error", "code", "param"} for problem in body["errors"])
    assert all(problem["code"] in PROBLEM_CODES for problem in body["errors"])
    assert (body["error"], body["code"], body.get("param")) == (first["error"], first["code"], first["param"])
    assert response.headers["content-type"] == "application/json"
    assert response.headers["x-request-id"]
    return body


class TestAuth:
    async def test_a_missing_key(self, app: Any) -> None:
        async with make_client(app, None) as client:
            for response in (
                await client.get("/v1/posts"),
                await client.send_post({"content": "x"}),
                await client.get("/v1/posts/x"),
                await client.patch("/v1/posts/x", content=b"{"),
                await client.delete("/v1/posts/x"),
                await client.post("/v1/posts/x/edit"),
                await client.post("/v1/posts/x/retry"),
                await client.post("/v1/posts/validate"),
            ):
                body = check_shape(response)
                assert (response.status_code, body["type"]) == (401, "authentication_error")
                assert body["error"].startswith("Missing API key")
                assert response.headers["www-authenticate"] == "Bearer"

    @pytest.mark.parametrize("header", ["Bearer sk_wrong", "Bearer a b", "Bearer \xe9\xff"])
    async def test_a_wrong_key(self, app: Any, header: str) -> None:
        async with make_client(app, None) as client:
            response = await client.get("/v1/posts", headers=[(b"Authorization", header.encode("latin-1"))])
        assert response.status_code == 401
        body = check_shape(response)
        del body["errors"]
        assert body == {"error": "Invalid API key", "type": "authentication_error", "code": "invalid_credentials"}

    async def test_a_key_without_its_scheme_is_answered_with_the_scheme(self, app: Any, stack: Stack) -> None:
        async with make_client(app, None) as client:
            for header in (stack.api_key, "sk_abc", f"Token {stack.api_key}", "Basic c2s6"):
                response = await client.get("/v1/posts", headers={"Authorization": header})
                body = check_shape(response)
                assert (response.status_code, body["code"]) == (401, "invalid_credentials")
                assert body["error"].startswith("Invalid API key: put `Bearer ` before the key")

    async def test_the_scheme_is_case_insensitive(self, app: Any, stack: Stack) -> None:
        async with make_client(app, None) as client:
            headers = {"Authorization": f"bearer  {stack.api_key}"}
            assert (await client.get("/v1/posts", headers=headers)).status_code == 200


class TestBodies:
    @pytest.mark.parametrize(
        "raw",
        [
            b"",
            b"{",
            b"[]",
            b"null",
            b'"text"',
            b"\xff\xfe{}",
            b'{"content": "\xff"}',
            b"[" * 100_000,
            b'{"a":' * 200 + b"1" + b"}" * 200,
            b'{"tiktokSettings":' + b"[" * 40 + b"]" * 40 + b"}",
            b'{"content": NaN}',
            b'{"content": Infinity}',
            b'{"content": 1e999}',
            b'{"content": ' + b"9" * 5000 + b"}",
            b'{"content": "a", "content": "b"}',
            b'{"content": "a"} trailing',
            b"\xef\xbb\xbf{}",
        ],
        ids=lambda raw: repr(raw[:24]),
    )
    async def test_invalid_json_objects_are_400(self, api: Client, raw: bytes) -> None:
        for response in (
            await api.post("/v1/posts", content=raw, headers=JSON),
            await api.post("/v1/posts/validate", content=raw, headers=JSON),
            await api.patch("/v1/posts/x", content=raw, headers=JSON),
            await api.post("/v1/posts/x/edit", content=raw, headers=JSON),
        ):
            body = check_shape(response)
            assert (response.status_code, body["code"], body["type"]) == (400, "invalid_json", "invalid_request_error")

    @pytest.mark.parametrize(
        ("raw", "param"),
        [
            (rb'{"content": "a\u0000b"}', "content"),
            (rb'{"content": "\ud800"}', "content"),
            (rb'{"content": "x", "tags": ["ok", "\udfff"]}', "tags.1"),
            (rb'{"content": "x", "tiktokSettings": {"a": {"b": "\u0000"}}}', "tiktokSettings.a.b"),
            (rb'{"content": "x", "tiktokSettings": {"\u0000": 1}}', "tiktokSettings.\0"),
            (rb'{"content": "x", "\ud83d": 1}', "?"),
        ],
    )
    async def test_text_that_cannot_be_stored_is_named(self, api: Client, raw: bytes, param: str) -> None:
        response = await api.post("/v1/posts", content=raw, headers=JSON)
        body = check_shape(response)
        assert (response.status_code, body["code"], body["param"]) == (400, "invalid_field_value", param)
        verdict = await api.post("/v1/posts/validate", content=raw, headers=JSON)
        assert verdict.status_code == 200, verdict.text
        assert [error["param"] for error in verdict.json()["errors"]] == [error["param"] for error in body["errors"]]

    async def test_emoji_and_every_script_are_text(self, api: Client) -> None:
        content = "🏳️‍🌈 שלום こんにちは \U0001f600"
        assert (await api.send_post({"content": content})).json()["content"] == content

    @pytest.mark.parametrize("encoding", ["gzip", "br", "identity, gzip"])
    async def test_compressed_bodies_are_415(self, api: Client, encoding: str) -> None:
        content = gzip.compress(b'{"content":"x"}')
        response = await api.post("/v1/posts", content=content, headers={**JSON, "Content-Encoding": encoding})
        error = check_shape(response)
        assert (response.status_code, error["code"]) == (415, "unsupported_media_type")
        assert error["error"] == "The body must not be compressed: Content-Encoding is not supported"

    async def test_identity_is_no_compression(self, api: Client) -> None:
        headers = {**JSON, "Content-Encoding": "identity"}
        response = await api.post("/v1/posts", content=b'{"content":"not compressed"}', headers=headers)
        assert response.status_code == 201

    @pytest.mark.parametrize(
        "kind", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json", ""]
    )
    async def test_other_content_types_are_415(self, api: Client, kind: str) -> None:
        response = await api.post("/v1/posts", content=b'{"content":"x"}', headers={"Content-Type": kind})
        assert (response.status_code, check_shape(response)["code"]) == (415, "unsupported_media_type")

    @pytest.mark.parametrize(
        "kind", ["application/json", "Application/JSON; charset=utf-8", "application/vnd.api+json"]
    )
    async def test_json_by_any_name_is_taken(self, api: Client, kind: str) -> None:
        response = await api.post("/v1/posts", content=b'{"content":"x"}', headers={"Content-Type": kind})
        assert response.status_code == 201

    async def test_a_content_type_may_be_left_out(self, api: Client) -> None:
        assert (await api.post("/v1/posts", content=b'{"content":"x"}')).status_code == 201

    async def test_over_a_mebibyte_is_413(self, api: Client) -> None:
        raw = b'{"content":"' + b"x" * 1024 * 1024 + b'"}'

        async def chunks() -> AsyncIterator[bytes]:
            for start in range(0, len(raw), 65536):
                yield raw[start : start + 65536]

        for content in (raw, chunks()):
            response = await api.post("/v1/posts", content=content, headers=JSON)
            assert (response.status_code, check_shape(response)["code"]) == (413, "payload_too_large")

    async def test_just_below_it_is_read(self, api: Client) -> None:
        raw = b'{"content":"x"' + b" " * (1024 * 1024 - 15) + b"}"
        assert (await api.post("/v1/posts", content=raw, headers=JSON)).status_code == 201


class TestRoutes:
    async def test_an_unknown_route_is_404(self, api: Client) -> None:
        for path in ("/v1", "/v2/posts", "/v1/posts/a/b/c", "/schema"):
            response = await api.get(path)
            assert (response.status_code, check_shape(response)["code"]) == (404, "not_found")

    @pytest.mark.parametrize(
        ("method", "path", "allowed"),
        [
            ("PUT", "/v1/posts", {"GET", "HEAD", "POST", "OPTIONS"}),
            ("DELETE", "/v1/posts", {"GET", "HEAD", "POST", "OPTIONS"}),
            ("POST", "/v1/posts/x", {"GET", "HEAD", "PATCH", "DELETE", "OPTIONS"}),
            ("GET", "/v1/posts/x/retry", {"POST", "OPTIONS"}),
            ("POST", "/healthz", {"GET", "HEAD", "OPTIONS"}),
        ],
    )
    async def test_another_method_is_405_and_options_say_which(
        self, api: Client, method: str, path: str, allowed: set[str]
    ) -> None:
        response = await api.request(method, path)
        assert (response.status_code, check_shape(response)["code"]) == (405, "method_not_allowed")
        assert set(response.headers["allow"].split(", ")) == allowed
        options = await api.options(path)
        assert options.status_code == 204
        assert set(options.headers["allow"].split(", ")) == allowed

    async def test_a_trailing_slash_is_forgiven(self, api: Client) -> None:
        assert (await api.get("/v1/posts/")).status_code == 200


class TestRequestId:
    async def test_the_callers_request_id_is_returned(self, api: Client) -> None:
        for path in ("/v1/posts", "/nowhere", "/healthz"):
            assert (await api.get(path, headers={"X-Request-Id": "my id 1"})).headers["x-request-id"] == "my id 1"

    @pytest.mark.parametrize("request_id", [b"x" * 129, b"a\xffb", b"tab\there", b""])
    async def test_invalid_request_ids_are_replaced(self, api: Client, request_id: bytes) -> None:
        response = await api.get("/v1/posts", headers=[(b"X-Request-Id", request_id)])
        assert response.headers.get_list("x-request-id") == [response.headers["x-request-id"]]
        assert response.headers["x-request-id"].encode() != request_id

    async def test_each_request_writes_one_log_line(self, api: Client) -> None:
        body = {"content": "nothing of this is logged"}
        with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
            post_id = (await api.send_post(body, **{"X-Request-Id": "r1"})).json()["id"]
            await api.get(f"/v1/posts/{post_id}", headers={"X-Request-Id": "r2"})
            await api.get("/v1/posts", headers={"X-Request-Id": "r3"})
        requests = {line["client_request_id"]: line for line in lines if line["event"] == "request"}
        assert (requests["r1"]["method"], requests["r1"]["path"], requests["r1"]["status"]) == (
            "POST",
            "/v1/posts",
            201,
        )
        assert requests["r1"]["post_id"] == requests["r2"]["post_id"] == requests["r2"]["workflow_id"] == post_id
        assert requests["r2"]["path"] == "/v1/posts/{post_id}"
        assert "post_id" not in requests["r3"]
        assert "nothing of this" not in str(lines)


@pytest.fixture
def quiet() -> Iterator[list[Any]]:
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        yield lines


@asynccontextmanager
async def without_database(stack: Stack) -> AsyncIterator[Client]:
    database = Database(f"postgresql+asyncpg://nobody@127.0.0.1:{free_port()}/none")
    async with over(database, stack) as client:
        yield client


@asynccontextmanager
async def over(database: Database, stack: Stack) -> AsyncIterator[Client]:
    """Yield a client of an API over these connections."""
    async with (
        app_over(Dependencies.assemble(database, stack.workflows, stack.outcomes)) as app,
        make_client(app, stack.api_key) as client,
    ):
        yield client
    await database.close()


class TestServerErrors:
    async def test_a_database_that_is_away_is_503(self, stack: Stack, quiet: list[Any]) -> None:
        async with without_database(stack) as client:
            for response in (await client.get("/v1/posts"), await client.send_post({"content": "x"})):
                body = check_shape(response)
                assert (response.status_code, body["code"], body["type"]) == (503, "unavailable", "api_error")
                assert int(response.headers["retry-after"]) > 0

    @pytest.mark.parametrize("bound", ["statement", "lock"])
    async def test_a_statement_that_takes_too_long_is_503(self, stack: Stack, quiet: list[Any], bound: str) -> None:
        limits = replace(TimeLimits(statement=None, lock=None), **{bound: 0.2})
        async with over(Database(stack.database_url, limits=limits), stack) as client:
            assert (await client.get("/v1/posts")).status_code == 200
            async with stack.database.transaction() as session:
                await session.execute(text("LOCK TABLE posts IN ACCESS EXCLUSIVE MODE"))
                began = time.monotonic()
                response = await client.get("/v1/posts")
                assert time.monotonic() - began < 5
            body = check_shape(response)
            assert (response.status_code, body["code"], body["type"]) == (503, "unavailable", "api_error")
            assert "took too long" in body["error"]
            assert int(response.headers["retry-after"]) > 0
            assert (await client.get("/v1/posts")).status_code == 200, "the connection can be used again"

    async def test_exhausted_pool_is_503(self, stack: Stack, quiet: list[Any]) -> None:
        database = Database(
            stack.database_url, pool_size=1, max_overflow=0, limits=replace(OF_REQUESTS, connection=0.2)
        )
        async with over(database, stack) as client:
            assert (await client.get("/v1/posts")).status_code == 200
            async with database.transaction() as session:
                await session.execute(text("SELECT 1"))
                response = await client.get("/v1/posts")
            assert check_shape(response)["code"] == "unavailable"
            assert response.status_code == 503
            assert int(response.headers["retry-after"]) > 0

    async def test_a_bug_is_500_without_detail_and_logged_with_the_request(
        self, api: Client, monkeypatch: pytest.MonkeyPatch, quiet: list[Any]
    ) -> None:
        def broken(*_: object, **__: object) -> None:
            raise ZeroDivisionError("the detail")

        monkeypatch.setattr("api.posts.routes.read_list_query", broken)
        response = await api.get("/v1/posts", headers={"X-Request-Id": "find me"})
        body = check_shape(response)
        assert (response.status_code, body["code"], body["type"]) == (500, "internal_error", "api_error")
        assert "detail" not in response.text
        (line,) = [line for line in quiet if line["event"] == "request.failed"]
        assert line["client_request_id"] == "find me"
        assert line["request_id"] != "find me"
        assert isinstance(line["exc_info"], ZeroDivisionError)


class TestHealth:
    async def test_needs_no_key(self, app: Any) -> None:
        async with make_client(app, None) as client:
            assert (await client.get("/healthz")).json() == {"status": "ok"}
            ready = await client.get("/statusz?strict=true")
        parts = ready.json()
        assert list(parts)[:6] == ["database", "temporal", "worker", "sweep", "planner", "storage"]
        assert (parts["database"], parts["temporal"], parts["worker"]) == (True, True, True)

    async def test_names_the_part_that_is_away(self, stack: Stack, quiet: list[Any]) -> None:
        async with without_database(stack) as client:
            assert (await client.get("/healthz")).status_code == 200
            ready = await client.get("/statusz?strict=true")
        expected = {
            "database": False,
            "temporal": True,
            "worker": True,
            "sweep": False,
            "planner": False,
            "version": version("socialsyncer"),
        }
        assert (ready.status_code, ready.json()) == (503, expected)
