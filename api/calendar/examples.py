"""Examples of calendars for the document."""

from typing import Any

CALENDAR: dict[str, Any] = {
    "timezone": "Europe/Berlin",
    "days": [
        {
            "date": "2030-12-03",
            "posts": [
                {
                    "id": "post_019bc10f27c07a7d4e9a54c1d9e3f0a1",
                    "at": "2030-12-03T09:00:00Z",
                    "local": "2030-12-03T10:00:00",
                    "timezone": "Europe/Berlin",
                    "status": "scheduled",
                    "text": "Hello from SocialSyncerAPI!",
                    "targets": [
                        {"platform": "instagram", "accountId": "ig_123", "username": "acme", "status": "pending"},
                        {"platform": "twitter", "accountId": "tw_456", "username": "acme", "status": "pending"},
                    ],
                }
            ],
        },
        {"date": "2030-12-04", "posts": []},
    ],
    "pauses": [
        {
            "id": "pau_019bc10e51307c4f8d2b7f3a6c0e9d41",
            "scope": "account",
            "platform": "twitter",
            "accountId": "tw_456",
            "since": "2030-12-03T08:00:00.120Z",
            "reason": "Press embargo until Friday",
        }
    ],
    "more": {"2030-12-03": 412},
}
