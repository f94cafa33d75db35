"""What the refusals of Threads mean, in the few kinds that every network shares and in sentences for people."""

from datetime import timedelta
from typing import Any

import httpx

from platforms.errors import Kind, NetworkError

REQUEST_ID_HEADER = "x-fb-trace-id"
QUOTA_WAIT = timedelta(hours=6)
"""Threads counts posts over the last 24 hours and does not say when the next slot frees; how long to wait is ours."""
PROPAGATION_WAIT = timedelta(seconds=3)
"""A container that is finished may not be known yet where it is published; clients that work wait 2 to 8 seconds."""

NOT_THERE = 24
"""The code for what does not exist, or not yet."""

_SERVER = "Threads had an error of its own."
_RECONNECT = "Threads no longer accepts this account's connection. Reconnect the account."
_PERMISSION = "Threads does not allow this with the account's permissions. Reconnect the account and grant them."
_THROTTLED = "Threads is limiting how much this account may do right now."
_FETCH = "Threads could not fetch the media from its URL. Check that it is public."

_SUBCODES = {
    2207051: (Kind.REJECTED, "Threads took this for spam and blocked it. Look into the Threads app."),
    2207052: (Kind.TRANSIENT, _FETCH),
    4279013: (Kind.AUTH, "Threads has restricted this account. Open the Threads app to solve it."),
}
"""The first and the last are from clients that work, not from documentation."""
_CODES = {
    -1: (Kind.TRANSIENT, _SERVER),
    1: (Kind.TRANSIENT, _SERVER),
    2: (Kind.TRANSIENT, _SERVER),
    NOT_THERE: (Kind.NOT_READY, "Threads does not find the prepared post yet."),
    4: (Kind.RATE_LIMITED, _THROTTLED),
    17: (Kind.RATE_LIMITED, _THROTTLED),
    32: (Kind.RATE_LIMITED, _THROTTLED),
    613: (Kind.RATE_LIMITED, _THROTTLED),
    10: (Kind.AUTH, _PERMISSION),
    200: (Kind.AUTH, _PERMISSION),
    102: (Kind.AUTH, _RECONNECT),
    190: (Kind.AUTH, _RECONNECT),
}
_STATUSES = {
    401: (Kind.AUTH, _RECONNECT),
    408: (Kind.TRANSIENT, _SERVER),
    429: (Kind.RATE_LIMITED, _THROTTLED),
}
_PROCESSING = {
    "DOWNLOADING": (Kind.TRANSIENT, _FETCH),
    "ASPEC": (Kind.REJECTED, "The media is too tall or too wide for Threads."),
    "BIT_RATE": (Kind.REJECTED, "The video has more data per second than Threads takes (100 Mbps)."),
    "DURATION": (Kind.REJECTED, "The video is too long for Threads (5 minutes)."),
    "FRAME_RATE": (Kind.REJECTED, "The video has too few or too many pictures per second for Threads (23 to 60)."),
    "AUDIO": (Kind.REJECTED, "Threads does not take the video's sound. Use AAC with one or two channels."),
    "PROCESSING_VIDEO": (Kind.REJECTED, "Threads does not take this video. Use MP4 or MOV with H.264 or HEVC."),
}
"""By a part of a failed container's error_message, whose spelling changes; source: the page on troubleshooting."""


def error_of(response: httpx.Response) -> NetworkError:
    """Map a refusal; Threads' own words are used only where the code says nothing to us."""
    body = _error(response)
    code, subcode = _number(body.get("code")), _number(body.get("error_subcode"))
    own_words = str(body.get("error_user_msg") or body.get("message") or "")
    meaning = _SUBCODES.get(subcode or 0) or _CODES.get(code or 0) or _STATUSES.get(response.status_code)
    if meaning is None and "could not be fetched" in f"{own_words} {body.get('message')}":
        meaning = (Kind.TRANSIENT, _FETCH)
    if meaning is None and (body.get("is_transient") is True or not response.is_client_error):
        meaning = (Kind.TRANSIENT, _SERVER)
    kind, sentence = meaning or (Kind.REJECTED, _told(own_words, response.status_code))
    return NetworkError(
        kind,
        sentence,
        code="/".join(str(part) for part in (code, subcode) if part is not None) or f"http_{response.status_code}",
        status=response.status_code,
        request_id=body.get("fbtrace_id") or response.headers.get(REQUEST_ID_HEADER),
        retry_after=PROPAGATION_WAIT if kind is Kind.NOT_READY else None,
    )


def processing_error(said: str) -> NetworkError:
    """Map what a failed container says of itself."""
    for part, (kind, sentence) in _PROCESSING.items():
        if part in said.upper():
            return NetworkError(kind, sentence, code=said[:64])
    return NetworkError(Kind.TRANSIENT, "Threads failed while taking in the media.", code=said[:64] or "unexplained")


def expired() -> NetworkError:
    """Say that a container is no longer there to be published."""
    message = "What Threads had prepared expired before it was published."
    return NetworkError(Kind.TRANSIENT, message, code="expired")


def stuck() -> NetworkError:
    """Say that a container takes too long to be processed."""
    return NetworkError(Kind.TRANSIENT, "Threads did not finish processing the media.", code="stuck")


def in_progress(retry_after: timedelta) -> NetworkError:
    """Say that a container is still being processed."""
    message = "Threads is still processing the media."
    return NetworkError(Kind.NOT_READY, message, code="in_progress", retry_after=retry_after)


def quota_used() -> NetworkError:
    """Say that the account's posts of the day are used up, for which Threads has no code."""
    message = "This account has reached Threads' number of posts for one day."
    return NetworkError(Kind.CAPPED, message, code="quota", retry_after=QUOTA_WAIT)


def is_gone(error: NetworkError) -> bool:
    """Tell whether Threads does not know a container (any more)."""
    return error.code.partition("/")[0] == str(NOT_THERE) or error.code == "100/33"


def could_not_fetch(error: NetworkError) -> bool:
    """Tell whether the media's own server did not give them to Threads."""
    return error.message == _FETCH


def _told(own_words: str, status: int) -> str:
    return f"Threads refused: {own_words}" if own_words else f"Threads refused with status {status}."


def _error(response: httpx.Response) -> dict[str, Any]:
    try:
        error = response.json()["error"]
    except (ValueError, KeyError, TypeError):  # HTML from a gateway, or JSON of another shape
        return {}
    return error if isinstance(error, dict) else {}


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None
