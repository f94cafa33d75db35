"""Examples of pauses for the document."""

from typing import Any

PAUSE_ID = "pau_019bc10e51307c4f8d2b7f3a6c0e9d41"
CURSOR = "eyJpZCI6InBhdV8wMTliYzEwZTUxMzA3YzRmOGQyYjdmM2E2YzBlOWQ0MSJ9"
_KEY = {"type": "api_key", "id": "key_019bc10e51307c4f8d2b7f3a6c0e9d41", "name": "Editorial office"}
PAUSE_BODY: dict[str, Any] = {"scope": "workspace", "reason": "Press embargo until Friday"}
ACCOUNT_BODY: dict[str, Any] = {"scope": "account", "platform": "twitter", "accountId": "tw_456"}
RESUME_BODY: dict[str, Any] = {"missed": "publish", "spacing": 600}
PAUSED: dict[str, Any] = {
    "id": PAUSE_ID,
    "scope": "workspace",
    "status": "paused",
    "reason": "Press embargo until Friday",
    "since": "2026-01-15T10:00:00.120Z",
    "by": _KEY,
    "inFlight": [],
    "missed": 12,
    "stillPaused": 0,
    "endedAt": None,
}
PAUSING: dict[str, Any] = PAUSED | {
    "scope": "account",
    "platform": "twitter",
    "accountId": "tw_456",
    "status": "pausing",
    "inFlight": [
        {
            "postId": "post_019bc10e51307c4f8d2b7f3a6c0e9d41",
            "platform": "twitter",
            "accountId": "tw_456",
            "since": "2026-01-15T09:59:59.900Z",
        }
    ],
    "missed": 0,
}
ENDED: dict[str, Any] = PAUSED | {
    "status": "ended",
    "missed": 0,
    "endedAt": "2026-01-16T08:00:00Z",
    "endedBy": _KEY,
    "result": {"published": 12, "shifted": 0, "skipped": 0, "stillPaused": 0},
}
PREVIEW: dict[str, Any] = {"published": 12, "shifted": 0, "skipped": 0, "stillPaused": 0}
CAMPAIGN_PAUSE: dict[str, Any] = PAUSED | {
    "scope": "campaign",
    "campaignId": "cmp_019bc10e51307c4f8d2b7f3a6c0e9d41",
    "reason": "The prices are wrong",
}
PAGE: dict[str, Any] = {"pauses": [PAUSED], "cursor": CURSOR, "hasMore": True}
