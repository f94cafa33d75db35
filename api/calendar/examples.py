"""Examples of calendars for the document."""

from typing import Any

from api.views import QUEUE_ID, THUMBNAIL_URL

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
                    "thumbnail": {"url": THUMBNAIL_URL, "altText": "Skis in the snow"},
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

CALENDAR_WITH_PLANS: dict[str, Any] = {
    "timezone": "Europe/Berlin",
    "days": [
        {
            "date": "2030-12-24",
            "posts": [],
            "slots": [
                {
                    "queueId": QUEUE_ID,
                    "name": "Morning posts",
                    "at": "2030-12-24T08:00:00Z",
                    "local": "2030-12-24T09:00:00",
                }
            ],
            "planned": [
                {
                    "seriesId": "ser_019bc10e51307c4f8d2b7f3a6c0e9d41",
                    "name": "Tip of the week",
                    "occurrence": "2030-12-24T10:00:00",
                    "at": "2030-12-24T09:00:00Z",
                    "local": "2030-12-24T10:00:00",
                }
            ],
            "blackouts": [
                {
                    "campaignId": "cmp_019bc10e51307c4f8d2b7f3a6c0e9d41",
                    "name": "Winter sale",
                    "reason": "Christmas",
                }
            ],
        }
    ],
    "pauses": [],
    "more": {},
}

VIEW_ID = "view_019bc10e51307c4f8d2b7f3a6c0e9d41"
VIEW_BODY: dict[str, Any] = {"name": "Agency", "campaignId": "cmp_019bc10e51307c4f8d2b7f3a6c0e9d41", "show": "title"}
VIEW: dict[str, Any] = {
    "id": VIEW_ID,
    "name": "Agency",
    "campaignId": "cmp_019bc10e51307c4f8d2b7f3a6c0e9d41",
    "accountId": None,
    "show": "title",
    "createdAt": "2030-12-01T10:00:00Z",
    "lastUsedAt": None,
}
_TOKEN = "cal_4mYkqFJXo0yqk3L1mRr2vPzXw8sTn5bJ7uHcD9eGfA0"  # noqa: S105 of an example
NEW_VIEW: dict[str, Any] = VIEW | {
    "token": _TOKEN,
    "pageUrl": f"https://posts.example.com/calendar?view=campaign&campaignId=cmp_019bc10e51307c4f8d2b7f3a6c0e9d41#view={_TOKEN}",
    "icsUrl": f"https://posts.example.com/calendar.ics?token={_TOKEN}",
}
VIEWS: dict[str, Any] = {"views": [VIEW | {"lastUsedAt": "2030-12-01T11:00:00Z"}]}
DELETED_VIEW: dict[str, Any] = {"id": VIEW_ID, "deleted": True}
TIMELINE: dict[str, Any] = {
    "timezone": "Europe/Berlin",
    "days": [
        {
            "date": "2030-12-03",
            "total": 12,
            "statuses": {"draft": 1, "scheduled": 11},
            "platforms": {"instagram": 4, "twitter": 12},
        }
    ],
    "withoutTime": 3,
}
