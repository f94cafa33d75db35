"""Examples of queues for the document."""

from typing import Any

from api.views import QUEUE_ID

_ACCOUNT = {"platform": "twitter", "accountId": "tw_456"}
_SLOTS = [{"days": ["mo", "we", "fr"], "time": "09:00"}, {"days": ["sa"], "time": "11:30"}]
_BLACKOUTS = [{"from": "2030-12-24", "to": "2030-12-26", "reason": "Christmas"}]
QUEUE_BODY: dict[str, Any] = {
    "name": "Morning posts",
    "timezone": "Europe/Berlin",
    "accounts": [_ACCOUNT],
    "slots": _SLOTS,
    "blackouts": _BLACKOUTS,
}
PATCH_BODY: dict[str, Any] = {"slots": [{"days": ["mo", "tu", "we", "th", "fr"], "time": "08:30"}], "reflow": True}
QUEUE: dict[str, Any] = {
    "id": QUEUE_ID,
    **QUEUE_BODY,
    "createdAt": "2026-01-15T10:00:00.120Z",
    "updatedAt": "2026-01-15T10:00:00.120Z",
}
REFLOWED: dict[str, Any] = QUEUE | {"slots": PATCH_BODY["slots"], "updatedAt": "2026-01-16T08:00:00Z", "moved": 12}
QUEUES: dict[str, Any] = {"queues": [QUEUE]}
SLOTS: dict[str, Any] = {
    "timezone": "Europe/Berlin",
    "slots": [
        {
            "at": "2030-12-02T08:00:00Z",
            "local": "2030-12-02T09:00:00",
            "status": "taken",
            "postId": "post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2",
        },
        {"at": "2030-12-04T08:00:00Z", "local": "2030-12-04T09:00:00", "status": "free", "postId": None},
    ],
}
DELETED: dict[str, Any] = {"id": QUEUE_ID, "deleted": True}
