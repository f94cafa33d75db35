"""Examples of bodies and responses, made from the examples of their fields, and one of every error.

A test finds the sentence of each error in the code.
"""

import csv
from pathlib import Path
from typing import Any

from api.errors import error_type
from api.http.operation import Json

_TARGETS = ({"platform": "instagram", "accountId": "ig_123"}, {"platform": "twitter", "accountId": "tw_456"})
"""The targets of the contract's example."""


def error(status: int, sentence: str, code: str, param: str | None = None) -> Json:
    """Return an error's body as it is answered; the post's targets are those of the contract's example."""
    body: Json = {
        "error": sentence,
        "type": error_type(status, idempotency=code.startswith("idempotency")),
        "code": code,
    }
    if param:
        body["param"] = param
    problem: Json = {"error": sentence, "code": code, "param": param}
    if code == "external_id_taken":
        body["postId"] = problem["postId"] = sentence.partition(" ")[0]
    if param and param.startswith("rows."):
        problem["row"] = int(param.split(".")[1])
    if param and (param == "mediaItems" or param.startswith("platforms.")):
        problem |= _TARGETS[int(param.split(".")[1]) if "." in param else 0]
    return {**body, "errors": [problem]}


def _read() -> dict[str, tuple[int, Json]]:
    with Path(__file__).with_name("errors.csv").open(newline="", encoding="utf-8") as file:
        return {
            row["name"]: (
                int(row["status"]),
                error(int(row["status"]), row["sentence"], row["code"], row["param"] or None),
            )
            for row in csv.DictReader(file)
        }


ERRORS = _read()
"""By name: the status and body of each error, for the operations that can answer with it."""


PREFIX = "#/components/schemas/"
_NULL = {"type": "null"}
_BY_TYPE: dict[str, Any] = {"boolean": True, "integer": 1, "number": 1, "string": "text", "object": {}, "array": []}


def example(schema: Json, schemas: Json, *, is_body: bool = False) -> Any:
    """Return an example of a schema, whose references are the names of `schemas`.

    The example of a schema or of a field is taken as it stands. An object without one has its required fields; a body
    also has those with an example.
    """
    if "examples" in schema:
        return schema["examples"][0]
    if "$ref" in schema:
        return example(schemas[schema["$ref"].removeprefix(PREFIX)], schemas, is_body=is_body)
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    if choices := schema.get("anyOf") or schema.get("oneOf"):
        # A response's field that may be null and has no example of its own is usually null.
        return None if _NULL in choices and not is_body else example(choices[0], schemas, is_body=is_body)
    if "properties" in schema:
        required = schema.get("required", ())
        return {
            name: example(field, schemas, is_body=is_body)
            for name, field in schema["properties"].items()
            if name in required or (is_body and "examples" in field)
        }
    if "items" in schema:
        return [example(schema["items"], schemas, is_body=is_body)]
    return _BY_TYPE[schema.get("type", "object")]
