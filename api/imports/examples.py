"""Examples of imports for the document."""

from typing import Any

IMPORT_ID = "imp_019bc10f27c07a7d4e9a54c1d9e3f0a1"
CURSOR = "eyJhZnRlciI6MTAwMH0"
_POST_ID = "post_019bc10f27c07a7d4e9a54c1d9e3f0a1"
_AT = "2030-12-03T08:00:00Z"
LIST: dict[str, Any] = {
    "posts": [
        {
            "externalId": f"bf-00{number}",
            "content": f"Black Friday, offer {number}",
            "platforms": [{"platform": "twitter", "accountId": "tw_456"}],
            "scheduledFor": f"2030-12-0{number}T09:00",
            "timezone": "Europe/Berlin",
        }
        for number in (1, 2)
    ]
}
LINES = (
    '{"externalId": "bf-001", "content": "Black Friday, offer 1", "platforms": [{"platform": "twitter", "accountId": '
    '"tw_456"}], "scheduledFor": "2030-12-01T09:00"}\n'
    '{"externalId": "bf-002", "content": "Did you see it?", "platforms": [{"platform": "twitter", "accountId": '
    '"tw_456"}], "after": {"externalId": "bf-001", "delay": "PT2H"}}\n'
    '{"externalId": "bf-003", "content": "A draft", "isDraft": true}\n'
)
CSV = (
    "externalId,content,platforms,mediaItems,scheduledFor,tags\n"
    'bf-001,"Offer 1,\ntoday",twitter:tw_456 instagram:ig_123,https://example.com/1.gif,2030-12-01T09:00,"bf, x"\n'
    "bf-002,Offer 2,twitter:tw_456,,2030-12-02T09:00,bf\n"
)
_COUNTS = {"total": 3, "created": 1, "unchanged": 1, "updated": 0, "ignored": 0, "failed": 1}
_CREATED = {"row": 2, "outcome": "created", "id": _POST_ID, "externalId": "bf-001", "scheduledFor": _AT}
_FAILED = {
    "row": 4,
    "outcome": "failed",
    "id": None,
    "externalId": "bf-003",
    "errors": [
        {
            "error": "X account tw_9 is not connected; GET /v1/accounts lists those that are",
            "code": "account_not_found",
            "param": "rows.4.platforms.0.accountId",
            "platform": "twitter",
            "accountId": "tw_9",
            "row": 4,
        }
    ],
}
IMPORT: dict[str, Any] = {
    "id": IMPORT_ID,
    "createdAt": "2026-01-15T10:00:00Z",
    **_COUNTS,
    "results": [_CREATED, {**_CREATED, "row": 3, "outcome": "unchanged", "externalId": "bf-002"}, _FAILED],
    "warnings": [
        {
            "error": "151 posts are planned for li_789 on 2030-12-03, and LinkedIn allows 150 a day",
            "code": "over_daily_cap",
            "platform": "linkedin",
            "accountId": "li_789",
            "day": "2030-12-03",
            "planned": 151,
            "allowed": 150,
            "rows": [17, 18],
        }
    ],
    "cursor": None,
    "hasMore": False,
}
PREVIEW: dict[str, Any] = {
    **IMPORT,
    "id": None,
    "total": 1,
    "unchanged": 0,
    "failed": 0,
    "results": [{**_CREATED, "id": None}],
}
