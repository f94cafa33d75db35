"""Examples of keys for the document."""

from typing import Any

KEY_ID = "key_019bc10e51307c4f8d2b7f3a6c0e9d41"
CURSOR = "eyJpZCI6ImtleV8wMTliYzEwZTUxMzA3YzRmOGQyYjdmM2E2YzBlOWQ0MSJ9"
CREATE: dict[str, Any] = {"name": "Newsroom", "scopes": ["read", "write"], "expiresInDays": 90}
ROTATE: dict[str, Any] = {"overlapHours": 24}
_ABOUT = {"id": KEY_ID, "name": "Newsroom", "scopes": ["read", "write"], "expiresAt": "2031-04-15T10:00:00Z"}
CREATED: dict[str, Any] = {**_ABOUT, "key": "sk_…", "ratePerMinute": None}
KEY: dict[str, Any] = {
    **_ABOUT,
    "prefix": "sk_4fG7q2",
    "createdAt": "2031-01-15T10:00:00Z",
    "lastUsedAt": None,
    "revokedAt": None,
    "replacedBy": None,
    "ratePerMinute": None,
}
REVOKED: dict[str, Any] = KEY | {"revokedAt": "2031-01-16T08:00:00Z"}
PAGE: dict[str, Any] = {"keys": [KEY], "cursor": CURSOR, "hasMore": True}
CALLER: dict[str, Any] = {
    "workspace": {"id": "ws_0123456789ab", "name": "Newsroom"},
    "key": _ABOUT,
    "limits": {
        "requests": {"limit": 600, "remaining": 598, "resetAt": "2031-01-15T10:00:01Z"},
        "posts": {"limit": 6_000, "remaining": 10_000, "resetAt": "2031-01-15T10:00:00Z"},
    },
    "usage": {
        "openPosts": {"used": 412, "limit": 100_000},
        "posts": {"used": 12_031, "limit": 1_000_000},
        "bytes": {"used": 18_240_113, "limit": 10_737_418_240},
        "accounts": {"used": 7, "limit": 1_000},
        "media": {"used": 734_003_200, "limit": 53_687_091_200},
    },
    "version": "0.2.0",
}
