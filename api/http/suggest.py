"""Suggestions for misspelled names."""

from collections.abc import Iterable
from difflib import get_close_matches

from api.http.zone_hints import suggest_zone
from platforms.registry import platforms

_OTHER_WORDS = {
    "content": ("text", "message", "caption", "body"),
    "mediaItems": ("media", "mediaUrls", "images", "image", "imageUrl", "photos", "video", "videoUrl", "attachments"),
    "platforms": ("accounts", "accountIds", "targets", "channels", "socialAccountIds"),
    "scheduledFor": ("publishAt", "postAt", "sendAt", "date", "time", "when", "dueAt", "scheduleDate"),
    "altText": ("alt", "description"),
    "name": ("title",),
    "credentials": ("password", "token", "accessToken", "username"),
}
"""What other services call some fields of this API, whose names do not resemble these."""


def closest(wrong: str, known: Iterable[str]) -> str | None:
    """Return the known name that a wrong one resembles or means, if there is one."""
    by_lower = {name.lower(): name for name in known}
    for name, words in _OTHER_WORDS.items():
        if wrong in words and name.lower() in by_lower:
            return by_lower[name.lower()]
    # Long input makes the comparison slow and is no misspelling of anything.
    close = get_close_matches(wrong.lower(), by_lower, n=1, cutoff=0.72) if len(wrong) <= 64 else []
    return by_lower[close[0]] if close else None


def did_you_mean(wrong: str, known: Iterable[str]) -> str:
    """Return "; did you mean …?" where a known name is close, else nothing."""
    meant = closest(wrong, known)
    return f"; did you mean {meant}?" if meant else ""


def unknown_platform(wrong: str) -> str:
    """Return what is wrong with the name of a platform that is not known, after the name of its field."""
    by_label = {platform.label.lower(): name for name, platform in platforms().items()}
    name = by_label.get(wrong.strip().lower(), wrong)
    return f"must be one of the platforms {', '.join(platforms())}{did_you_mean(name, platforms())}"


def unknown_zone(wrong: str) -> str:
    """Return what is wrong with a time zone that is not known, after the name of its field."""
    return f"must be an IANA time zone such as America/New_York{suggest_zone(wrong)}"
