"""Examples of events for the document."""

from typing import Any

CURSOR = "eyJ4Ijo0MjE3LCJzIjo5MSwidCI6MTc2ODQ3MTIwMH0"
POST_ID = "post_019bc10f27c07a7d4e9a54c1d9e3f0a1"
_OF_POST: dict[str, Any] = {"campaignId": None, "externalId": "bf-001", "tags": ["bf26"]}
TARGET: dict[str, Any] = {
    "postId": POST_ID,
    "platform": "twitter",
    "platformPostId": "1234567890",
    "platformPostUrl": "https://x.com/i/status/1234567890",
    "status": "published",
    "accountId": "tw_456",
    "publishedAt": "2030-12-03T10:00:01.120Z",
    **_OF_POST,
    "error": None,
    "errorCode": None,
    "errorCategory": None,
    "retryable": None,
    "holdReason": None,
    "nextAttemptAt": None,
    "looking": False,
    "previousPlatformPostId": None,
    "risk": None,
}
POST: dict[str, Any] = {
    "postId": POST_ID,
    "status": "published",
    "scheduledFor": "2030-12-03T10:00:00.000Z",
    "publishedAt": "2030-12-03T10:00:01.120Z",
    **_OF_POST,
    "skipReason": None,
    "platforms": [
        {
            "platform": "twitter",
            "accountId": "tw_456",
            "status": "published",
            "platformPostId": "1234567890",
            "platformPostUrl": "https://x.com/i/status/1234567890",
            "errorCode": None,
        }
    ],
}


def event(kind: str, data: dict[str, Any], number: int = 1) -> dict[str, Any]:
    """Return an event as clients read it."""
    return {
        "id": f"evt_019bc10f27c07a7d4e9a54c1d9e3f0a{number}",
        "event": kind,
        "timestamp": "2030-12-03T10:00:01.180Z",
        "data": data,
    }


FEED: dict[str, Any] = {
    "events": [event("post.published", TARGET), event("post.completed", POST, 2)],
    "cursor": CURSOR,
    "hasMore": False,
    "since": "2030-11-03T10:00:00Z",
}
FIRST: dict[str, Any] = {"events": [], "cursor": None, "hasMore": False, "since": "2030-12-03T10:00:00Z"}
