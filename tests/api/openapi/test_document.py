"""The OpenAPI document: complete, true, and readable without the internet."""

import ast
import asyncio
import base64
import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from litestar import Litestar

from api.openapi.components import ERRORS
from api.openapi.document import document
from platforms.registry import platforms
from tests.api.conftest import Client, end_pauses
from tests.api.documented import schema_validator
from tests.serving import listening
from tests.sources import syntax_nodes

ROOT = Path(__file__).parents[3]


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in document()["paths"].items():
        for method, operation in methods.items():
            yield method, path, operation


def schemas() -> dict[str, dict[str, Any]]:
    by_name: dict[str, dict[str, Any]] = document()["components"]["schemas"]
    return by_name


def responses() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for _, _, operation in operations():
        for status, response in operation["responses"].items():
            yield operation["operationId"], status, response


def takes_file(content: dict[str, Any]) -> bool:
    """Return whether a body is a file, or a form with one: it has no example as text."""
    return not content.keys().isdisjoint({"application/octet-stream", "multipart/form-data"})


def test_is_a_valid_openapi_document() -> None:
    import schemathesis

    schemathesis.openapi.from_dict(document()).validate()


LOADED = re.compile(r"(?:src|href)=\"([^\"]*)\"")


def test_describes_every_route_and_no_other(app: Litestar) -> None:
    served = {
        (method.lower(), re.sub(r"_id\}", "Id}", route.path_format))
        for route in app.routes
        for method in route.methods
        if method != "OPTIONS"
    }
    # Platforms fetch media, not clients; and the pages that people see while they connect are not called by programs.
    pages = {
        ("get", path)
        for path in (
            "/",
            "/calendar",
            "/calendar.ics",
            "/campaigns/{campaignId}",
            "/connect",
            "/docs",
            "/openapi.json",
            "/media/{name}",
            "/media/t/{name}",
            "/media/u/{token}/{name}",
            "/apps/{name}",
        )
    }
    hosted = {path for _, path in served if path.startswith(("/v1/connect/callback", "/v1/connect/start"))}
    hosted |= {path for _, path in served if path.startswith("/v1/connect/result")}
    pages |= {(method, path) for method, path in served if path in hosted}
    # Answers name it, and a client that has no API key uses it.
    pages.add(("put", "/media/upload/{secret}"))
    assert {(method, path) for method, path, _ in operations()} == served - pages


def test_every_operation_has_examples_errors_and_auth() -> None:
    for method, path, operation in operations():
        where = f"{method} {path}"
        assert operation["summary"], where
        if not path.startswith("/v1"):
            assert operation["security"] == [], where
            continue
        assert list(operation["security"][0]) == ["apiKey"], where
        assert {"401", "503"} <= set(operation["responses"]), where
        if "requestBody" in operation:
            assert {"400", "413", "415"} <= set(operation["responses"]), where
            content = operation["requestBody"]["content"]
            assert content.get("application/json", {}).get("examples") or takes_file(content), where
        for parameter in operation["parameters"]:
            assert parameter["description"], where
            assert "example" in parameter, where
    assert document()["security"] == [{"apiKey": []}]
    assert document()["components"]["securitySchemes"]["apiKey"]["scheme"] == "bearer"


def test_every_example_fits_its_schema() -> None:
    contents = [operation["requestBody"]["content"] for _, _, operation in operations() if "requestBody" in operation]
    contents = [content for content in contents if not takes_file(content)]
    contents += [response["content"] for _, _, response in responses() if "content" in response]
    for content in contents:
        assert content["application/json"]["examples"]
        for example in content["application/json"]["examples"].values():
            schema_validator(json.dumps(content["application/json"]["schema"])).validate(example["value"])


def test_every_field_of_ours_is_described_with_an_example() -> None:
    own = {name: schema for name, schema in schemas().items() if schema.get("type") == "object"}
    assert len(own) > 60
    for name, schema in own.items():
        for field, described in schema["properties"].items():
            assert described.get("description") or "$ref" in described, f"{name}.{field}"
        assert schema["additionalProperties"] is False


def test_schemas_have_the_apis_own_names() -> None:
    for name, schema in schemas().items():
        assert schema["title"] == name
        assert re.fullmatch(r"[A-Z][A-Za-z]+", name), name
        assert not name.endswith(("View", "Body")), name
    assert not {"Date", "Time", "Event", "Error", "Request", "Response"} & set(schemas())
    assert "platforms__" not in json.dumps(document())


def test_request_schemas_have_no_meaningless_defaults_or_nulls() -> None:
    # Generators treat a field with a default as always present, and a null as a value worth sending.
    assert '"default"' not in json.dumps(schemas())
    nullable = {
        field
        for name, schema in schemas().items()
        if name.endswith(("Post", "Posts", "PostItem", "Target", "Settings"))
        and name not in {"Post", "DeletedPost", "PostTarget", "CalendarPost", "CalendarTarget"}
        for field, described in schema.get("properties", {}).items()
        if {"type": "null"} in described.get("anyOf", ())
    }
    assert nullable == {"after", "scheduledFor", "customContent", "customMedia", "campaignId"}


def test_a_change_has_a_schema_of_its_own() -> None:
    create, update = schemas()["CreatePost"], schemas()["UpdatePost"]
    assert set(update["properties"]) == set(create["properties"]) - {"externalId"} | {"shiftBy"}
    assert "required" not in update
    used = document()["paths"]["/v1/posts/{postId}"]["patch"]["requestBody"]["content"]["application/json"]["schema"]
    assert used == {"$ref": "#/components/schemas/UpdatePost"}


def test_a_targets_platform_says_which_settings_it_takes() -> None:
    target = schemas()["Target"]
    assert target["discriminator"]["propertyName"] == "platform"
    for name, platform in platforms().items():
        own = schemas()[target["discriminator"]["mapping"][name].rpartition("/")[2]]
        assert own["properties"]["platform"]["enum"] == [name]
        settings = own["properties"]["platformSpecificData"]["$ref"].rpartition("/")[2]
        assert settings == platform.settings.__name__


def test_the_platforms_are_one_schema() -> None:
    written = json.dumps(document())
    assert written.count(json.dumps(list(platforms()))) == 1
    assert schemas()["Platform"]["enum"] == list(platforms())


def test_a_target_of_an_answer_can_be_sent_back() -> None:
    changes = [schemas()[name]["properties"]["platforms"]["items"] for name in ("UpdatePost", "UpdatePostItem")]
    assert changes == [{"$ref": "#/components/schemas/TargetUpdate"}] * 2
    choices = [choice["$ref"] for choice in schemas()["TargetUpdate"]["anyOf"]]
    assert choices == [*schemas()["Target"]["discriminator"]["mapping"].values(), "#/components/schemas/PostTarget"]


def test_every_example_of_an_error_is_a_sentence_of_the_code() -> None:
    patterns = set()
    for path in (
        path
        for package in ("accounts", "activities", "api", "domain", "platforms")
        for path in (ROOT / package).rglob("*.py")
    ):
        for node in syntax_nodes(path.read_text()):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                patterns.add(re.escape(node.value))
            elif isinstance(node, ast.JoinedStr):
                parts = [re.escape(str(part.value)) if isinstance(part, ast.Constant) else ".+" for part in node.values]
                patterns.add("".join(parts))
    # Shorter ones hold no words of their own, as `{name} {error}`.
    known = re.compile("|".join(pattern for pattern in patterns if len(pattern) > 12))
    assert [body["error"] for _, body in ERRORS.values() if not known.fullmatch(body["error"])] == []


def test_no_example_holds_a_reference() -> None:
    for operation in (operation for _, _, operation in operations()):
        contents = [response["content"] for response in operation["responses"].values() if "content" in response]
        contents += [operation["requestBody"]["content"]] if "requestBody" in operation else []
        for content in (content for content in contents if not takes_file(content)):
            assert '"$ref"' not in json.dumps(content["application/json"]["examples"])


@pytest.mark.parametrize("path", ["/docs", "/connect", "/calendar"])
async def test_pages_run_their_own_script_alone_and_in_no_frame(api: Client, path: str) -> None:
    page = await api.get(path)
    policy = dict(part.split(maxsplit=1) for part in page.headers["content-security-policy"].split("; "))
    assert {
        name: policy[name] for name in ("default-src", "frame-ancestors", "base-uri", "form-action")
    } == dict.fromkeys(("default-src", "frame-ancestors", "base-uri", "form-action"), "'none'")
    (script,) = re.findall(r"<script>(.*?)</script>", page.text, re.DOTALL)
    assert policy["script-src"] == f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
    assert policy["style-src"].startswith("'sha256-")
    # Inline handlers and styles would not work.
    assert re.findall(r"\s(?:style|on[a-z]+)=\"", page.text) == []


async def test_the_page_loads_nothing_from_elsewhere(api: Client) -> None:
    page = await api.get("/docs")
    assert page.headers["content-type"].startswith("text/html")
    assert all(target == "data:," or target.startswith("/") for target in LOADED.findall(page.text))
    assert re.findall(r"https?://[^\s\"'`]+", page.text) == []
    served = (await api.get("/openapi.json")).json()
    assert served == document() | {"servers": served["servers"]}
    assert [server["url"] for server in served["servers"]] == ["http://api.test"]


async def test_the_document_is_written_once(api: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """Everybody may ask for it, at any address, and to write it takes milliseconds."""
    first = await api.get("/openapi.json")
    monkeypatch.delattr("api.pages.document")
    other = await api.get("/openapi.json", headers={"Host": "other.test"})
    assert [server["url"] for server in other.json()["servers"]] == ["http://other.test"]
    assert other.headers["ETag"] != first.headers["ETag"]
    assert other.json() == first.json() | {"servers": other.json()["servers"]}


@pytest.mark.parametrize("other", ["", '"another", ', 'W/"another",W/'])
async def test_a_document_that_the_caller_has_is_not_sent_again(api: Client, other: str) -> None:
    first = await api.get("/openapi.json")
    again = await api.get("/openapi.json", headers={"If-None-Match": f"{other}{first.headers['ETag']}"})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
    changed = await api.get("/openapi.json", headers={"If-None-Match": '"another"'})
    assert (changed.status_code, changed.content) == (200, first.content)


@pytest.mark.timeout(240)
# The worker in this process draws random jitter for its retries, which hypothesis attributes to the strategy.
@pytest.mark.filterwarnings("ignore:Do not use the .random. module:hypothesis.errors.HypothesisDeprecationWarning")
@pytest.mark.thorough
@pytest.mark.parametrize("kind", ["positive", "negative"])
async def test_every_response_is_documented(app: Litestar, api: Client, kind: str) -> None:
    # Imported by the one process of pytest that runs this file, not by each that collects it.
    import schemathesis
    from schemathesis import GenerationMode, checks
    from schemathesis.core.result import Ok
    from schemathesis.specs.openapi import checks as of_openapi

    mode = GenerationMode(kind)
    conformance = [
        checks.not_a_server_error,
        of_openapi.status_code_conformance,
        of_openapi.content_type_conformance,
        of_openapi.response_headers_conformance,
        of_openapi.response_schema_conformance,
    ]
    draft = (await api.send_post({"content": "draft"})).json()["id"]
    post_ids = st.sampled_from([draft, "post_" + "0" * 32, None])
    async with listening(app) as url:
        schema = schemathesis.openapi.from_dict(document())
        for result in schema.get_all_operations():
            assert isinstance(result, Ok)
            operation = result.ok()
            if mode is GenerationMode.NEGATIVE and not operation.path.startswith("/v1"):
                # These operations have no parameters that could be wrong.
                continue
            strategy = operation.as_strategy(generation_mode=mode)

            @settings(
                max_examples=20,
                deadline=None,
                derandomize=True,
                database=None,
                suppress_health_check=list(HealthCheck),
            )
            @given(case=strategy, post_id=post_ids)
            def attack(case: Any, post_id: str | None) -> None:
                if post_id and "postId" in case.path_parameters:
                    case.path_parameters["postId"] = post_id
                headers = {"Authorization": api.headers["authorization"]}
                response = case.call(base_url=url, headers=headers, timeout=30)
                # Another test may have left a part of the stack away, which 503 says as documented.
                expected = conformance[1:] if case.path == "/statusz" else conformance
                case.validate_response(response, checks=expected, headers=headers)

            try:
                await asyncio.to_thread(attack)
            finally:
                await end_pauses(api)


async def test_the_calendar_is_a_small_page_that_loads_nothing_from_elsewhere(api: Client) -> None:
    page = await api.get("/calendar")
    assert len(page.content) <= 42 * 1024
    assert all(target == "data:," or target.startswith("/") for target in LOADED.findall(page.text))
    assert re.findall(r"https?://[^\s\"'`]+", page.text) == []
    assert "innerHTML" not in page.text
