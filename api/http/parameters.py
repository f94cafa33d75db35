"""Parameters that several operations take."""

from api.http.headers import DEFAULT_WAIT_S, KEY_PATTERN, LONGEST_KEY, LONGEST_WAIT_S
from api.http.operation import Json
from api.http.query import MAX_LIMIT

PLATFORM_REF: Json = {"$ref": "#/components/schemas/Platform"}


def _path(name: str, description: str, example: object, schema: Json | None = None) -> Json:
    shape = schema or {"type": "string"}
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": shape,
        "example": example,
    }


def _own(name: str, thing: str, example: str) -> Json:
    """Return the parameter that names a thing of the workspace by its id."""
    return _path(name, f"The {thing}'s id. The answer is 404 if the workspace has no such {thing}.", example)


PATH_PARAMETERS: dict[str, Json] = {
    parameter["name"]: parameter
    for parameter in (
        _own("postId", "post", "post_019bc10f27c07a7d4e9a54c1d9e3f0a1"),
        _own("campaignId", "campaign", "cmp_019bc10e51307c4f8d2b7f3a6c0e9d41"),
        _own("keyId", "key", "key_019bc10e51307c4f8d2b7f3a6c0e9d41"),
        _own("webhookId", "webhook", "wh_019bc10f27c07a7d4e9a54c1d9e3f0a1"),
        _own("pauseId", "pause", "pau_019bc10e51307c4f8d2b7f3a6c0e9d41"),
        _own("mediaId", "file", "med_019bc10f27c07a7d4e9a54c1d9e3f0a1"),
        _own("queueId", "queue", "que_019bc10e51307c4f8d2b7f3a6c0e9d41"),
        _path("platform", "The platform.", "twitter", PLATFORM_REF),
        _path("accountId", "The account's id. The answer is 404 if it is not connected.", "tw_456"),
        _path(
            "connectionId",
            "The `connectionId` of the connection that was begun.",
            "sel_019bc10f27c07a7d4e9a54c1d9e3f0a1",
        ),
        _path(
            "importId",
            "The import's id. The answer is 404 if the workspace has no such import, or had it more than 30 days ago.",
            "imp_019bc10f27c07a7d4e9a54c1d9e3f0a1",
        ),
        _path(
            "seriesId",
            "The series' id. The answer is 404 if the workspace has no such series.",
            "ser_019bc10e51307c4f8d2b7f3a6c0e9d41",
        ),
        _path(
            "viewId",
            "The calendar view's id. The answer is 404 if the workspace has no such view.",
            "view_019bc10e51307c4f8d2b7f3a6c0e9d41",
        ),
        _path("number", "The part's number, from 1.", 1, {"type": "integer", "minimum": 1}),
    )
}
KEY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "description": (
        "Makes a repeat safe: the same key with the same method, path and body returns the original answer, byte for "
        "byte, for 24 hours."
    ),
    "schema": {"type": "string", "minLength": 1, "maxLength": LONGEST_KEY, "pattern": KEY_PATTERN},
    "example": "7b0f6a9e-3f6a-4c6e-9d53-0a8f5a9f2d11",
}


KEY_OF_MANY = {
    **KEY,
    "description": (
        "Makes a repeat of the whole request safe for 24 hours. If the request did not finish, because its process "
        "ended, there was no time or a limit was reached, a repeat handles the posts that are left. For the others it "
        "returns the first results."
    ),
}


KEY_OF_OPERATION: Json = {
    **KEY,
    "required": True,
    "description": (
        "Makes a repeat safe: the operation is done once for a key, and a repeat gets its result, as long as the "
        "operation is kept."
    ),
}

IF_NONE_MATCH: Json = {
    "name": "If-None-Match",
    "in": "header",
    "description": "The `ETag` of an earlier answer: if nothing has changed, the answer is 304 without content.",
    "schema": {"type": "string"},
    "example": '"5f2b7c1d9e3a4068b1c2d3e4f5061728"',
}


def prefer_wait(awaited: str, default: int, most: int = LONGEST_WAIT_S, example: int = 10, after: str = "") -> Json:
    """Return the parameter that says how many seconds to wait, at most `most`; `after` says what follows them."""
    return {
        "name": "Prefer",
        "in": "header",
        "description": (
            f"`wait=N`: how many seconds to wait for {awaited}, 0 to {most}, {default} by default (RFC 7240).{after}"
        ),
        "schema": {"type": "string"},
        "example": f"wait={example}",
    }


PREFER_PAUSED = prefer_wait("`paused`", default=10, most=10)
PREFER = prefer_wait(
    "the outcome",
    DEFAULT_WAIT_S,
    after=" After that the answer is the post's current state, and publishing continues.",
)


def required(parameter: Json) -> Json:
    """Return a parameter that must be given."""
    return {**parameter, "required": True}


def query(name: str, description: str, schema: Json, example: object, *, explode: bool | None = None) -> Json:
    """Return a parameter of the query that may be left out. `explode`: a list's items are parameters of their own."""
    style = {} if explode is None else {"style": "form", "explode": explode}
    return {"name": name, "in": "query", "description": description, "schema": schema, "example": example, **style}


def cursor() -> Json:
    """Return the parameter that continues a list."""
    return query(
        "cursor",
        "The `cursor` of the previous answer. The other parameters must be the same.",
        {"type": "string"},
        "eyJpZCI6InBvc3RfYWJjMTIzIn0",
    )


def limit(what: str, default: int = MAX_LIMIT) -> Json:
    """Return the parameter that says how many entries a page may have."""
    most = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": default}
    return query("limit", f"The most {what} to return.", most, 20)


def page(what: str) -> tuple[Json, Json]:
    """Return the parameters that page through entries."""
    return limit(what), cursor()
