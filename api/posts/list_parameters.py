"""Parameters that select posts and sort them."""

from api.http.operation import Json
from api.http.parameters import PLATFORM_REF, cursor, query
from api.http.query import MAX_LIMIT
from api.posts.filters import LONGEST_ADDRESS, MOMENT, TARGET_STATUSES
from api.posts.listing import DEFAULT_LIMIT
from domain.post import PostStatus
from store.posts.counts import Grouping
from store.posts.list_filters import Order


def _moment(name: str, description: str, example: str) -> Json:
    return query(name, f"{description} {MOMENT}", {"type": "string"}, example)


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
        "campaignId",
        "Only posts of this campaign.",
        {"type": "string", "minLength": 1},
        "cmp_019bc10e51307c4f8d2b7f3a6c0e9d41",
    ),
    query(
        "seriesId",
        "Only posts of this series.",
        {"type": "string", "minLength": 1},
        "ser_019bc10e51307c4f8d2b7f3a6c0e9d41",
    ),
    query(
        "importId",
        "Only posts that this import has created or changed; for 30 days.",
        {"type": "string", "minLength": 1},
        "imp_019bc10f27c07a7d4e9a54c1d9e3f0a1",
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
    cursor(),
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
