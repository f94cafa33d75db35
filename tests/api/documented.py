"""Comparison of answers with the API's OpenAPI document, for every answer that the tests of the API get."""

import json
import re
from functools import cache
from typing import Any

import httpx
import jsonschema_rs

from api.openapi.document import document


@cache
def _paths() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    # A path without parameters comes before one that it would match: /v1/accounts/health.
    paths = sorted(document()["paths"].items(), key=lambda item: item[0].count("{"))
    return [(re.compile(re.sub(r"\{\w+\}", "[^/]+", path)), operations) for path, operations in paths]


@cache
def schema_validator(schema: str) -> Any:
    """Return the validator of a schema of the document, written as JSON."""
    return jsonschema_rs.validator_for({**json.loads(schema), "components": document()["components"]})


_PAGES = ("/v1/connect/callback/", "/v1/connect/start/", "/v1/connect/result/")
"""Pages that people see while they connect: the document does not describe them."""


async def check_documented(answer: httpx.Response) -> None:
    """Fail if a documented operation answers with a status or a body that the document does not have."""
    method, path = answer.request.method, answer.request.url.path
    operations = next((operations for pattern, operations in _paths() if pattern.fullmatch(path)), {})
    operation = operations.get(method.lower())
    if operation is None or f"{path}/".startswith(_PAGES):
        return
    documented = operation["responses"].get(str(answer.status_code))
    assert documented, f"{method} {path} answers {answer.status_code}, which is not documented"
    await answer.aread()
    if "content" not in documented:
        assert answer.content == b"", f"{method} {path} answers {answer.status_code} with content"
        return
    schema = documented["content"]["application/json"]["schema"]
    try:
        schema_validator(json.dumps(schema)).validate(answer.json())
    except jsonschema_rs.ValidationError as error:
        raise AssertionError(f"{method} {path} answers {answer.status_code} unlike the document: {error}") from None
