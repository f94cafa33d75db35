"""Examples of connected accounts, for the API's document."""

from typing import Any

from api.accounts.queries import accounts_cursor

CURSOR = accounts_cursor("tw_456")
_HEALTHY: dict[str, Any] = {
    "platform": "twitter",
    "accountId": "tw_456",
    "username": "jane",
    "connectedAt": "2026-01-15T10:00:12Z",
    "health": "healthy",
    "tokenValid": True,
    "expiresAt": None,
}
_EXPIRING: dict[str, Any] = {
    **_HEALTHY,
    "platform": "linkedin",
    "accountId": "li_782bbtaQ",
    "health": "warning",
    "expiresAt": "2026-01-18T12:00:00Z",
}
ACCOUNTS: dict[str, Any] = {"accounts": [_EXPIRING, _HEALTHY], "cursor": None, "hasMore": False}
ACCOUNT_PAGE: dict[str, Any] = {**ACCOUNTS, "cursor": CURSOR, "hasMore": True}
HEALTHY: dict[str, Any] = {
    **_HEALTHY,
    "reason": None,
    "permissions": ["media.write", "offline.access", "tweet.read", "tweet.write", "users.read"],
    "missingPermissions": [],
    "checkedAt": "2026-01-15T11:58:03Z",
    "recommendations": [],
}
EXPIRING: dict[str, Any] = {
    **_EXPIRING,
    "reason": "expiring",
    "permissions": ["openid", "profile", "w_member_social"],
    "missingPermissions": [],
    "checkedAt": "2025-11-19T12:00:00Z",
    "recommendations": ["Token expires in 3 days. Consider reconnecting."],
}
REFUSED: dict[str, Any] = {
    **HEALTHY,
    "health": "needs_reconnect",
    "tokenValid": False,
    "reason": "refused",
    "recommendations": [
        "X no longer accepts this account's connection. Reconnect the account. Its posts are held until then."
    ],
}
HEALTH_PAGE: dict[str, Any] = {"accounts": [EXPIRING, HEALTHY], "cursor": None, "hasMore": False}
_EDITORS = {"type": "api_key", "id": "key_019bc10e51307c4f8d2b7f3a6c0e9d41", "name": "Editorial office"}
HISTORY: dict[str, Any] = {
    "events": [
        {
            "at": "2026-01-15T10:00:12Z",
            "action": "reconnected",
            "actor": _EDITORS,
            "connectionId": "sel_019bc10f27c07a7d4e9a54c1d9e3f0a1",
            "summary": 'API key "Editorial office" connected jane again on a page of this service.',
        },
        {
            "at": "2025-12-01T08:30:00Z",
            "action": "connected",
            "actor": {"type": "operator"},
            "connectionId": None,
            "summary": "An operator connected jane.",
        },
    ]
}
REMOVED: dict[str, Any] = {
    "platform": "twitter",
    "accountId": "tw_456",
    "username": "jane",
    "removed": True,
    "removedAt": "2026-01-15T12:00:00Z",
    "access": "ended",
    "waitingPosts": {"count": 1, "more": False, "first": ["post_019bc10f27c07a7d4e9a54c1d9e3f0a1"]},
    "message": "jane is no longer connected. X has ended this service's access. 1 post is still to be published to it. "
    "Each is held at its time, and goes out once the account is connected again. If that takes longer than the post's "
    "publishWithin, it fails and can be retried.",
}
REMOVED_KEPT: dict[str, Any] = {
    **REMOVED,
    "platform": "facebook",
    "accountId": "fb_123",
    "username": "bakery",
    "access": "kept",
    "waitingPosts": {"count": 0, "more": False, "first": []},
    "message": "bakery is no longer connected. This service has forgotten its access at Facebook. To end it there, "
    "too, remove the app in Facebook: Settings and privacy, Settings, Business integrations.",
}

BOARDS: dict[str, Any] = {
    "setting": "boardId",
    "choices": [{"value": "549755885175", "label": "Recipes"}, {"value": "549755885176", "label": "Knots"}],
    "more": False,
}
