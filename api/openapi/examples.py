"""Examples of bodies and responses, made from the examples of their fields."""

from typing import Any

from api.http.operation import Json

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
