"""Examples for the API's document: the contract's own requests, and their answers."""

from typing import Any

CREATE: dict[str, dict[str, Any]] = {
    "publishNow": {
        "content": "Hello from SocialSyncerAPI!",
        "mediaItems": [{"type": "image", "url": "https://example.com/photo.jpg"}],
        "platforms": [
            {"platform": "instagram", "accountId": "ig_123"},
            {"platform": "twitter", "accountId": "tw_456"},
        ],
        "publishNow": True,
        "scheduledFor": None,
        "isDraft": False,
        "timezone": "UTC",
        "tags": ["marketing"],
        "tiktokSettings": {},
        "facebookSettings": {},
    },
    "schedule": {
        "content": "Scheduled post",
        "platforms": [{"platform": "twitter", "accountId": "tw_456"}],
        "publishNow": False,
        "scheduledFor": "2030-02-01T09:00",
        "timezone": "America/New_York",
    },
    "nextSlot": {
        "content": "Posted in the next free slot",
        "platforms": [{"platform": "twitter", "accountId": "tw_456"}],
        "queue": "next",
    },
    "afterAnother": {
        "content": "Posted two hours after another post",
        "platforms": [{"platform": "twitter", "accountId": "tw_456"}],
        "after": {"postId": "post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2", "delay": "PT2H", "onFailure": "skip"},
    },
    "draft": {"content": "An idea for later", "isDraft": True},
}

PATCH: dict[str, dict[str, Any]] = {
    "reschedule": {"scheduledFor": "2030-02-02T09:00:00", "timezone": "America/New_York"},
    "publishNow": {"publishNow": True},
    "nextSlot": {"queue": "next"},
    "stopWaiting": {"after": None},
    "backToDraft": {"isDraft": True},
    "correct": {"content": "A text that the platform takes"},
    "correctOne": {
        "platforms": [
            {"platform": "twitter", "accountId": "tw_456", "customContent": "A text that this platform takes"}
        ]
    },
}


EDIT: dict[str, dict[str, Any]] = {"edit": {"content": "Hello from SocialSyncerAPI! (edited)"}}

RETRY: dict[str, dict[str, Any]] = {
    "all": {},
    "one": {"platforms": [{"platform": "twitter", "accountId": "tw_456"}]},
}

RESOLVE: dict[str, dict[str, Any]] = {
    "notPublished": {"platform": "telegram", "accountId": "tg_123", "outcome": "not_published"},
    "published": {"platform": "telegram", "accountId": "tg_123", "outcome": "published", "platformPostId": "42"},
}

ATTEMPTS: dict[str, Any] = {
    "attempts": [
        {
            "platform": "twitter",
            "accountId": "tw_456",
            "step": "publish",
            "state": "unconfirmed",
            "startedAt": "2026-01-15T10:00:00.100Z",
            "finishedAt": "2026-01-15T10:00:30.102Z",
            "httpStatus": None,
            "errorCode": "timed_out",
            "platformCode": None,
            "requestId": None,
            "decision": "confirming on the platform before anything else",
            "nextAttemptAt": "2026-01-15T10:00:31.102Z",
        },
        {
            "platform": "twitter",
            "accountId": "tw_456",
            "step": "confirm",
            "state": "done",
            "startedAt": "2026-01-15T10:00:31.140Z",
            "finishedAt": "2026-01-15T10:00:31.402Z",
            "httpStatus": 200,
            "errorCode": None,
            "platformCode": None,
            "requestId": "5f0c1d",
            "decision": "it is public",
            "nextAttemptAt": None,
        },
    ],
    "cursor": None,
    "hasMore": False,
}
HISTORY: dict[str, Any] = {
    "events": [
        {
            "at": "2026-01-14T16:20:05.611Z",
            "action": "created",
            "actor": {"type": "api_key", "id": "key_019bc10e51307c4f8d2b7f3a6c0e9d41", "name": "Editorial office"},
            "summary": 'API key "Editorial office" created the post.',
        },
        {
            "at": "2026-01-14T17:02:44.090Z",
            "action": "changed",
            "actor": {"type": "api_key", "id": "key_019bc10e51307c4f8d2b7f3a6c0e9d41", "name": "Editorial office"},
            "summary": (
                'API key "Editorial office" changed scheduledFor from 2026-01-14T18:00:00Z to 2026-01-15T10:00:00Z and '
                "content from 118 characters to 131 characters."
            ),
            "version": 2,
            "changes": [
                {"field": "scheduledFor", "from": "2026-01-14T18:00:00Z", "to": "2026-01-15T10:00:00Z"},
                {"field": "content", "from": "118 characters", "to": "131 characters"},
            ],
        },
        {
            "at": "2026-01-15T10:00:00.100Z",
            "action": "published",
            "actor": {"type": "worker"},
            "summary": "Published on X account tw_456 as 1234567890: https://x.com/i/status/1234567890",
            "platform": "twitter",
            "accountId": "tw_456",
            "httpStatus": 201,
            "platformPostId": "1234567890",
        },
    ],
    "cursor": None,
    "hasMore": False,
}
HISTORY_CURSOR = "eyJpZCI6IjEuMTAwIiwiYXQiOiIyMDI2LTAxLTE1VDEwOjAwOjAwKzAwOjAwIn0"
ATTEMPTS_CURSOR = "eyJpZCI6MTAwfQ"

_PUBLISHED = "2026-01-15T10:00:02.418Z"
POST: dict[str, Any] = {
    "id": "post_019bc10f27c07a7d4e9a54c1d9e3f0a1",
    "status": "published",
    "content": "Hello from SocialSyncerAPI!",
    "mediaItems": [{"type": "image", "url": "https://example.com/photo.jpg"}],
    "platforms": [
        {
            "platform": "instagram",
            "accountId": "ig_123",
            "status": "published",
            "platformPostId": "17841400123456789",
            "platformPostUrl": "https://instagram.com/p/ABC123",
            "content": "Hello from SocialSyncerAPI!",
            "publishedAt": _PUBLISHED,
        },
        {
            "platform": "twitter",
            "accountId": "tw_456",
            "status": "published",
            "platformPostId": "1234567890",
            "platformPostUrl": "https://x.com/i/status/1234567890",
            "content": "Hello from SocialSyncerAPI!",
            "publishedAt": _PUBLISHED,
        },
    ],
    "tags": ["marketing"],
    "timezone": "UTC",
    "scheduledFor": None,
    "scheduledForLocal": None,
    "publishedAt": _PUBLISHED,
    "createdAt": "2026-01-15T10:00:00Z",
    "updatedAt": _PUBLISHED,
    "isDraft": False,
    "publishWithin": 86400,
}
_WAITING = {"status": "pending", "platformPostId": None, "platformPostUrl": None, "publishedAt": None}
SCHEDULED: dict[str, Any] = {
    **POST,
    "status": "scheduled",
    "content": "Scheduled post",
    "mediaItems": [],
    "platforms": [{"platform": "twitter", "accountId": "tw_456", "content": "Scheduled post", **_WAITING}],
    "tags": [],
    "timezone": "America/New_York",
    "scheduledFor": "2030-02-01T14:00:00Z",
    "scheduledForLocal": "2030-02-01T09:00:00",
    "publishedAt": None,
    "updatedAt": "2026-01-15T10:00:00Z",
}
PARTIAL: dict[str, Any] = {
    **POST,
    "status": "partial",
    "platforms": [
        POST["platforms"][0],
        {
            **POST["platforms"][1],
            **_WAITING,
            "status": "failed",
            "error": "X refused the post: the text is a duplicate.",
            "errorCode": "duplicate_content",
            "errorCategory": "rejected",
            "retryable": False,
        },
    ],
}
PAGE: dict[str, Any] = {"posts": [POST], "cursor": "eyJpZCI6InBvc3RfYWJjMTIzIn0", "hasMore": True}
DELETED: dict[str, Any] = {"id": POST["id"], "deleted": True}

COUNTS: dict[str, Any] = {
    "total": 3,
    "counts": [
        {"status": "published", "day": "2030-12-01", "posts": 1},
        {"status": "scheduled", "day": "2030-12-02", "posts": 2},
    ],
}

DELETIONS_CURSOR = "eyJpZCI6NDJ9"
DELETIONS: dict[str, Any] = {
    "posts": [
        {
            "id": POST["id"],
            "deletedAt": "2026-01-20T09:12:00Z",
            "deletedBy": {"type": "api_key", "id": "key_019bc10e51307c4f8d2b7f3a6c0e9d41", "name": "Editorial office"},
            "createdAt": POST["createdAt"],
            "status": "scheduled",
            "scheduledFor": "2030-02-01T14:00:00Z",
            "platforms": [{"platform": "twitter", "accountId": "tw_456"}],
        }
    ],
    "cursor": None,
    "hasMore": False,
}
