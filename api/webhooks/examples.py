"""Examples of webhooks for the document."""

from typing import Any

from api.events.examples import TARGET, event

WEBHOOK_ID = "wh_019bc10f27c07a7d4e9a54c1d9e3f0a1"
DELIVERY_ID = "dlv_019bc10f27c07a7d4e9a54c1d9e3f0a1"
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"  # noqa: S105 an example
CURSOR = "eyJlIjoiZXZ0XzAxOWEiLCJ3Ijoid2hfMDE5YSJ9"
CREATE: dict[str, Any] = {
    "url": "https://hooks.example.com/socialsyncer",
    "events": ["post.published", "post.failed"],
    "name": "CMS",
}
CHANGE: dict[str, Any] = {"events": ["*"], "enabled": True}
WEBHOOK: dict[str, Any] = {
    "id": WEBHOOK_ID,
    **CREATE,
    "enabled": True,
    "status": "active",
    "disabledReason": None,
    "disabledAt": None,
    "failingSince": None,
    "lastFailure": None,
    "lastDeliveredAt": "2030-12-03T10:00:01.310Z",
    "waiting": 0,
    "olderSecretUntil": None,
    "createdAt": "2030-12-01T10:00:00Z",
}
TEST: dict[str, Any] = {"outcome": "delivered", "deliveryId": DELIVERY_ID, "httpStatus": 200, "error": None}
CREATED: dict[str, Any] = {**WEBHOOK, "secret": SECRET, "test": TEST}
ROTATED: dict[str, Any] = {**WEBHOOK, "olderSecretUntil": "2030-12-04T10:00:00Z", "secret": SECRET}
DISABLED: dict[str, Any] = {
    **WEBHOOK,
    "enabled": False,
    "status": "disabled",
    "disabledReason": "failing",
    "disabledAt": "2030-12-03T10:00:00Z",
    "failingSince": "2030-11-28T09:02:00Z",
    "lastFailure": "it answered 503",
}
DELIVERY: dict[str, Any] = {
    "id": DELIVERY_ID,
    "webhookId": WEBHOOK_ID,
    "status": "delivered",
    "cause": "event",
    "nextAttemptAt": None,
    "event": event("post.published", TARGET),
    "attempts": [
        {"at": "2030-12-03T10:00:01.190Z", "ms": 120, "httpStatus": 200, "error": None, "response": "ok"},
    ],
}
LOG: dict[str, Any] = {"deliveries": [DELIVERY], "cursor": CURSOR, "hasMore": True}
RECOVER: dict[str, Any] = {"since": "2030-12-03T10:00:00Z"}
