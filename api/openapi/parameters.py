"""Parameters of operations."""

from api.bulk.bodies import MOMENT
from api.http.headers import DEFAULT_WAIT_S, KEY_PATTERN, LONGEST_KEY, LONGEST_WAIT_S
from api.http.query import MAX_LIMIT
from api.openapi import examples
from api.openapi.components import PLATFORM_REF
from api.openapi.operation import Json
from api.posts.filters import LONGEST_ADDRESS, TARGET_STATUSES
from api.posts.listing import DEFAULT_LIMIT
from domain.post import PostStatus
from store.posts.counts import Grouping
from store.posts.list_filters import Order

POST_ID = {
    "name": "postId",
    "in": "path",
    "required": True,
    "description": "The post's id. The answer is 404 if the workspace has no such post.",
    "schema": {"type": "string"},
    "example": examples.POST["id"],
}


PLATFORM: Json = {
    "name": "platform",
    "in": "path",
    "required": True,
    "description": "The platform.",
    "schema": PLATFORM_REF,
    "example": "twitter",
}
KEY = {
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


PREFER = {
    "name": "Prefer",
    "in": "header",
    "description": (
        f"`wait=N`: how many seconds to wait for the outcome, 0 to {LONGEST_WAIT_S}, {DEFAULT_WAIT_S} by default (RFC "
        "7240). After that the answer is the post's current state, and publishing continues."
    ),
    "schema": {"type": "string"},
    "example": "wait=10",
}


def required(parameter: Json) -> Json:
    """Return a parameter that must be given."""
    return {**parameter, "required": True}


def query(name: str, description: str, schema: Json, example: object) -> Json:
    """Return a parameter of the query that may be left out."""
    return {"name": name, "in": "query", "description": description, "schema": schema, "example": example}


def _moment(name: str, description: str, example: str) -> Json:
    return query(name, f"{description} {MOMENT}", {"type": "string"}, example)


_CURSOR = "The `cursor` of the previous answer. The other parameters must be the same."
FILTERS: tuple[Json, ...] = (
    {
        **query(
            "status",
            "Only posts in one of these statuses, or with a target that is `held` or `unconfirmed` if these are named. "
            "Several are separated by commas.",
            {"type": "array", "items": {"type": "string", "enum": [*PostStatus, *TARGET_STATUSES]}},
            ["failed", "partial", "held"],
        ),
        "style": "form",
        "explode": False,
    },
    query("platform", "Only posts with a target there.", PLATFORM_REF, "instagram"),
    query(
        "externalId", "Only the post with this id of yours.", {"type": "string", "minLength": 1}, "campaign-7/row-12"
    ),
    query(
        "platformPostId",
        "Only posts that are public under this id on a platform, or at this address.",
        {"type": "string", "minLength": 1, "maxLength": LONGEST_ADDRESS},
        "https://x.com/acme/status/1234567890",
    ),
    query("accountId", "Only posts with this account.", {"type": "string", "minLength": 1}, "ig_123"),
    {
        **query(
            "tag",
            "Only posts with this tag; given several times, only posts with all of them.",
            {"type": "array", "items": {"type": "string", "minLength": 1}},
            ["marketing"],
        ),
        "style": "form",
        "explode": True,
    },
    _moment("scheduledFrom", "Only posts scheduled for then or later.", "2030-12-03"),
    _moment("scheduledTo", "Only posts scheduled for then or earlier.", "2030-12-03"),
    _moment("fromDate", "Only posts created then or later; `scheduledFrom` is for the due time.", "2026-01-01"),
    _moment("toDate", "Only posts created then or earlier.", "2026-01-31T23:59:59Z"),
    _moment(
        "updatedSince",
        "Only posts that changed then or later. To poll, send the time of your last request minus one minute: a change "
        "can be read some time after its `updatedAt`.",
        "2026-01-15T10:00:00Z",
    ),
    query(
        "timezone",
        "The IANA time zone of dates and of times without an offset.",
        {"type": "string", "default": "UTC"},
        "Europe/Berlin",
    ),
)
"""The conditions that select posts."""
LIST: tuple[Json, ...] = (
    *FILTERS,
    query(
        "sort",
        "`createdAt`: newest first. `scheduledFor`: soonest first; posts without a time are left out. `updatedAt`: the "
        "longest unchanged first. The default is `scheduledFor` if `scheduledFrom` or `scheduledTo` is given, "
        "`updatedAt` if `updatedSince` is given, else `createdAt`.",
        {"type": "string", "enum": list(Order)},
        "scheduledFor",
    ),
    query(
        "limit",
        "The most posts to return.",
        {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT},
        20,
    ),
    query(
        "cursor",
        _CURSOR,
        {"type": "string"},
        examples.PAGE["cursor"],
    ),
)

COUNTS: tuple[Json, ...] = (
    {
        **query(
            "by",
            "Count the posts of each status, of each platform, or of each day of `scheduledFor` or `createdAt`. "
            "Several are separated by commas.",
            {"type": "array", "items": {"type": "string", "enum": list(Grouping)}, "default": [Grouping.STATUS]},
            ["status", "scheduledFor"],
        ),
        "style": "form",
        "explode": False,
    },
    *FILTERS,
)


def page(what: str, cursor: str) -> tuple[Json, Json]:
    """Return the parameters that page through entries."""
    most = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": MAX_LIMIT}
    return (
        query("limit", f"The most {what} to return.", most, 20),
        query("cursor", _CURSOR, {"type": "string"}, cursor),
    )
