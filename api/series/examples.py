"""Examples of series for the document."""

from typing import Any

SERIES_ID = "ser_019bc10e51307c4f8d2b7f3a6c0e9d41"
CURSOR = "eyJpZCI6InNlcl8wMTliYzEwZTUxMzA3YzRmOGQyYjdmM2E2YzBlOWQ0MSJ9"
_POST: dict[str, Any] = {
    "platforms": [{"platform": "twitter", "accountId": "tw_456"}],
    "publishWithin": 86_400,
}
_VARIATIONS: list[dict[str, Any]] = [{"content": "Drink water"}, {"content": "Take a walk"}]
_RULES: dict[str, Any] = {
    "timezone": "Europe/Berlin",
    "start": "2030-03-04T09:00:00",
    "recurrence": {"frequency": "weekly", "byDay": ["mo", "th"], "count": 20},
}
_SHOWN_RULES: dict[str, Any] = _RULES | {
    "recurrence": {"frequency": "weekly", "interval": 1, "byDay": [{"day": "mo"}, {"day": "th"}], "count": 20},
    "rrule": "FREQ=WEEKLY;BYDAY=MO,TH;COUNT=20",
}
BODY: dict[str, Any] = {
    "name": "Monday tip",
    **_RULES,
    "post": _POST,
    "variations": _VARIATIONS,
    "exclude": ["2030-03-11T09:00:00"],
}
RRULE_BODY: dict[str, Any] = BODY | {"recurrence": {"rrule": "FREQ=MONTHLY;BYDAY=1MO"}}
PREVIEW_BODY: dict[str, Any] = _RULES | {"recurrence": {"frequency": "monthly", "byMonthDay": [31], "skip": "backward"}}
_OCCURRENCE: dict[str, Any] = {
    "occurrence": "2030-03-04T09:00:00",
    "scheduledFor": "2030-03-04T08:00:00Z",
    "movedByClockChange": False,
    "state": "made",
    "postId": "post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2",
    "status": "scheduled",
}
_ENTRY: dict[str, Any] = {
    "id": SERIES_ID,
    "name": "Monday tip",
    "status": "active",
    "campaignId": None,
    **_SHOWN_RULES,
    "madeUntil": "2030-04-25T07:00:00Z",
    "version": 1,
    "createdAt": "2030-02-20T10:00:00Z",
    "updatedAt": "2030-02-20T10:00:00Z",
}
SERIES: dict[str, Any] = _ENTRY | {
    "post": _POST,
    "variations": _VARIATIONS,
    "exclude": ["2030-03-11T09:00:00"],
    "include": [],
    "onBlackout": "skip",
    "later": [],
    "next": [_OCCURRENCE],
    "pauseId": None,
    "warnings": [],
}
PAGE: dict[str, Any] = {"series": [_ENTRY], "cursor": CURSOR, "hasMore": True}
OCCURRENCES: dict[str, Any] = {
    "occurrences": [
        _OCCURRENCE,
        {
            "occurrence": "2030-03-11T09:00:00",
            "scheduledFor": "2030-03-11T08:00:00Z",
            "movedByClockChange": False,
            "state": "skipped",
            "reason": "excluded",
        },
    ],
    "hasMore": False,
}
CHANGE_BODY: dict[str, Any] = {"recurrence": {"frequency": "weekly", "byDay": ["tu"]}, "from": "2030-04-01T00:00:00"}
CHANGED: dict[str, Any] = {
    "added": ["2030-04-02T09:00:00"],
    "removed": ["2030-04-01T09:00:00", "2030-04-04T09:00:00"],
    "changed": [],
    "keptEdited": ["2030-04-08T09:00:00"],
    "untouched": [],
    "dryRun": False,
    "series": SERIES
    | {
        "version": 2,
        "later": [
            {
                "effectiveFrom": "2030-04-01T00:00:00",
                **_SHOWN_RULES,
                "recurrence": {"frequency": "weekly", "interval": 1, "byDay": [{"day": "tu"}]},
                "rrule": "FREQ=WEEKLY;BYDAY=TU",
                "post": _POST,
                "variations": _VARIATIONS,
            }
        ],
    },
}
PREVIEW: dict[str, Any] = {
    "recurrence": {"frequency": "monthly", "interval": 1, "byMonthDay": [31], "skip": "backward"},
    "rrule": "RSCALE=GREGORIAN;FREQ=MONTHLY;BYMONTHDAY=31;SKIP=BACKWARD",
    "occurrences": [
        {
            "occurrence": "2030-03-31T09:00:00",
            "scheduledFor": "2030-03-31T07:00:00Z",
            "movedByClockChange": False,
            "state": "planned",
        },
        {
            "occurrence": "2030-04-30T09:00:00",
            "scheduledFor": "2030-04-30T07:00:00Z",
            "movedByClockChange": False,
            "state": "planned",
        },
    ],
}
DELETED: dict[str, Any] = {"id": SERIES_ID, "deleted": True, "deletedPosts": 12}
_PAUSE: dict[str, Any] = {
    "id": "pau_019bc10e51307c4f8d2b7f3a6c0e9d41",
    "scope": "series",
    "seriesId": SERIES_ID,
    "status": "paused",
    "reason": "New texts are being written",
    "since": "2030-03-01T10:00:00.120Z",
    "by": {"type": "api_key", "id": "key_019bc10e51307c4f8d2b7f3a6c0e9d41", "name": "Editorial office"},
    "inFlight": [],
    "missed": 0,
    "stillPaused": 0,
    "endedAt": None,
}
PAUSED: dict[str, Any] = _PAUSE
RESUMED: dict[str, Any] = _PAUSE | {
    "status": "ended",
    "endedAt": "2030-03-05T08:00:00Z",
    "endedBy": _PAUSE["by"],
    "result": {"published": 0, "shifted": 0, "skipped": 1, "stillPaused": 0},
}
