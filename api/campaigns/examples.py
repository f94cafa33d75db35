"""Examples of campaigns for the document."""

from typing import Any

CAMPAIGN_ID = "cmp_019bc10e51307c4f8d2b7f3a6c0e9d41"
OPERATION_ID = "op_019bc10e51307c4f8d2b7f3a6c0e9d41"
CURSOR = "eyJpZCI6ImNtcF8wMTliYzEwZTUxMzA3YzRmOGQyYjdmM2E2YzBlOWQ0MSJ9"
OPERATIONS_CURSOR = "eyJpZCI6Im9wXzAxOWJjMTBlNTEzMDdjNGY4ZDJiN2YzYTZjMGU5ZDQxIn0"
_KEY = {"type": "api_key", "id": "key_019bc10e51307c4f8d2b7f3a6c0e9d41", "name": "Editorial office"}
_FIELDS: dict[str, Any] = {
    "name": "Black Friday",
    "tags": ["bf30"],
    "timezone": "Europe/Berlin",
    "blackouts": [{"from": "2030-12-24", "to": "2030-12-26", "reason": "Christmas"}],
}
BODY: dict[str, Any] = _FIELDS | {"startsAt": "2030-11-01T00:00:00", "endsAt": "2031-02-01T00:00:00"}
BODY_WITH_POSTS: dict[str, Any] = BODY | {
    "posts": [
        {
            "externalId": "bf-001",
            "content": "It begins",
            "platforms": [{"platform": "twitter", "accountId": "tw_456"}],
            "scheduledFor": "2030-11-03T09:00:00",
        }
    ]
}
CHANGE: dict[str, Any] = {"endsAt": "2031-01-15T00:00:00", "conflicts": "skip"}
CAMPAIGN: dict[str, Any] = {
    "id": CAMPAIGN_ID,
    **_FIELDS,
    "status": "active",
    "startsAt": "2030-10-31T23:00:00Z",
    "startsAtLocal": "2030-11-01T00:00:00",
    "endsAt": "2031-01-31T23:00:00Z",
    "endsAtLocal": "2031-02-01T00:00:00",
    "progress": {
        "asOf": "2030-11-20T10:00:00.250Z",
        "total": 10_000,
        "draft": 5,
        "scheduled": 9_588,
        "publishing": 2,
        "published": 400,
        "partial": 1,
        "failed": 4,
        "skipped": 5,
        "behind": 212,
    },
    "nextAt": "2030-11-20T10:30:00Z",
    "lastAt": "2031-01-31T18:00:00Z",
    "series": 2,
    "pause": None,
    "version": 7,
    "createdAt": "2030-10-01T09:00:00Z",
    "updatedAt": "2030-11-19T16:20:00Z",
}
CREATED: dict[str, Any] = CAMPAIGN | {
    "progress": dict.fromkeys(CAMPAIGN["progress"], 0) | {"asOf": "2030-10-01T09:00:00.250Z"},
    "nextAt": None,
    "lastAt": None,
    "series": 0,
    "version": 1,
    "operationId": OPERATION_ID,
    "result": {},
}
CREATED_WITH_POSTS: dict[str, Any] = CREATED | {
    "progress": CREATED["progress"] | {"total": 1, "scheduled": 1, "behind": 1},
    "nextAt": "2030-11-03T08:00:00Z",
    "lastAt": "2030-11-03T08:00:00Z",
    "result": {"posts": 1, "warnings": []},
}
CHANGED: dict[str, Any] = CAMPAIGN | {
    "endsAt": "2031-01-14T23:00:00Z",
    "endsAtLocal": "2031-01-15T00:00:00",
    "operationId": OPERATION_ID,
    "result": {"fields": ["endsAt"], "skipped": 5},
}
STARTED: dict[str, Any] = CAMPAIGN | {"operationId": OPERATION_ID, "result": {"scheduled": 9_588}}
ENDED: dict[str, Any] = CAMPAIGN | {
    "status": "ended",
    "endsAt": "2030-11-20T10:00:00Z",
    "endsAtLocal": "2030-11-20T11:00:00",
    "progress": CAMPAIGN["progress"] | {"draft": 9_593, "scheduled": 0, "skipped": 9_593, "behind": 9_588},
    "nextAt": None,
    "lastAt": None,
    "operationId": OPERATION_ID,
    "result": {"drafts": 9_588},
}
DELETED: dict[str, Any] = {
    "id": CAMPAIGN_ID,
    "deleted": True,
    "operationId": OPERATION_ID,
    "result": {"name": "Black Friday", "deleted": 9_593, "kept": 2},
}
PAGE: dict[str, Any] = {"campaigns": [CAMPAIGN], "cursor": CURSOR, "hasMore": True}
OPERATION: dict[str, Any] = {
    "id": OPERATION_ID,
    "kind": "changed",
    "at": "2030-11-19T16:20:00Z",
    "by": _KEY,
    "result": {"fields": ["endsAt"], "skipped": 5},
}
OPERATIONS: dict[str, Any] = {"operations": [OPERATION], "cursor": OPERATIONS_CURSOR, "hasMore": True}
