"""Examples of requests for many posts, and of their answers."""

from typing import Any

from api.posts.error_examples.errors import ERRORS

_ID = "post_019bc10f27c07a7d4e9a54c1d9e3f0a1"

CREATE_MANY: dict[str, dict[str, Any]] = {
    "campaign": {
        "posts": [
            {
                "content": f"Winter, day {day}",
                "platforms": [{"platform": "twitter", "accountId": "tw_456"}],
                "scheduledFor": f"2030-12-0{day}T09:00",
                "timezone": "Europe/Berlin",
                "tags": ["winter"],
                "externalId": f"winter/row-{day}",
            }
            for day in (1, 2)
        ]
    }
}

UPDATE_MANY: dict[str, dict[str, Any]] = {
    "moveByTag": {"filter": {"tag": ["winter"], "status": ["scheduled"]}, "change": {"shiftBy": "P1D"}},
    "eachItsOwn": {"posts": [{"id": _ID, "content": "A text that the platform takes"}]},
}

SELECT_MANY: dict[str, dict[str, Any]] = {
    "byTag": {"filter": {"tag": ["winter"], "status": ["failed", "partial"]}},
    "byId": {"ids": [_ID]},
}


def _many(*results: dict[str, Any]) -> dict[str, Any]:
    failed = sum("error" in result for result in results)
    return {
        "total": len(results),
        "succeeded": len(results) - failed,
        "failed": failed,
        "results": [{"position": position, **result} for position, result in enumerate(results)],
        "cursor": None,
        "hasMore": False,
    }


_SET = {"httpStatus": 200, "id": _ID, "status": "scheduled", "scheduledFor": "2030-12-02T08:00:00Z"}
CREATED_MANY = _many(
    {**_SET, "httpStatus": 201, "externalId": "winter/row-1"},
    {"httpStatus": 422, "id": None, "externalId": "winter/row-2", "error": ERRORS["accountNotFound"][1]},
)
MOVED_MANY = _many(_SET)
DELETED_MANY = _many({"httpStatus": 200, "id": _ID})
RETRIED_MANY = _many({"httpStatus": 200, "id": _ID, "status": "published", "scheduledFor": None})
VALIDATED_MANY = {
    "total": 2,
    "succeeded": 1,
    "failed": 1,
    "results": [
        {"position": 0, "externalId": "winter/row-1", "valid": True, "errors": [], "warnings": []},
        {
            "position": 1,
            "externalId": "winter/row-2",
            "valid": False,
            "errors": ERRORS["accountNotFound"][1]["errors"],
            "warnings": [],
        },
    ],
}
