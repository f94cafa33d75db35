"""What Instagram's refusals mean, in the few kinds that every network shares and in sentences for people."""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx

from platforms.errors import Kind, NetworkError

DAILY_CAP_WAIT = timedelta(hours=6)
"""Instagram counts posts over the last 24 hours and does not say when the next slot frees; how long to wait is ours."""

REQUEST_ID_HEADER = "x-fb-trace-id"


@dataclass(frozen=True, slots=True)
class Meaning:
    """Say what a code stands for."""

    kind: Kind
    sentence: str


_FETCH = "Instagram could not fetch the media from its URL. Check that it is public."
_UPLOAD = "Instagram failed while taking in the media."
_SERVER = "Instagram had an error of its own."
_TAGS = "Instagram refused the tagged people. Check their user names and their number."
_RECONNECT = "Instagram no longer accepts this account's connection. Reconnect the account."
_PERMISSION = "Instagram does not allow this with the account's permissions. Reconnect the account and grant them."
_DAY = "This account has reached Instagram's number of posts for one day."
_THROTTLED = "Instagram is limiting how much this account may do right now."

_SUBCODES = {
    2207001: Meaning(Kind.TRANSIENT, _SERVER),
    2207003: Meaning(Kind.TRANSIENT, "Instagram took too long to fetch the media from its URL."),
    2207006: Meaning(Kind.TRANSIENT, "Instagram no longer has the uploaded media."),
    2207008: Meaning(Kind.TRANSIENT, "Instagram cannot find the uploaded media yet."),
    2207020: Meaning(Kind.TRANSIENT, "The upload at Instagram expired before it was published."),
    2207032: Meaning(Kind.TRANSIENT, _UPLOAD),
    2207052: Meaning(Kind.TRANSIENT, _FETCH),
    2207053: Meaning(Kind.TRANSIENT, _UPLOAD),
    2207082: Meaning(Kind.TRANSIENT, _UPLOAD),
    2207027: Meaning(Kind.NOT_READY, "Instagram is still processing the media."),
    2207042: Meaning(Kind.CAPPED, _DAY),
    2207050: Meaning(Kind.AUTH, "Instagram has restricted this account. Open the Instagram app to solve it."),
    2207051: Meaning(Kind.REJECTED, "Instagram took this for spam and blocked it. Look into the Instagram app."),
    2207004: Meaning(Kind.REJECTED, "The image is too large for Instagram (8 MB)."),
    2207005: Meaning(Kind.REJECTED, "Instagram does not take this image format. Use JPEG."),
    2207009: Meaning(Kind.REJECTED, "The image is too tall or too wide for Instagram (4:5 to 1.91:1)."),
    2207010: Meaning(Kind.REJECTED, "The caption is too long for Instagram."),
    2207023: Meaning(Kind.REJECTED, "Instagram does not know this type of media."),
    2207026: Meaning(Kind.REJECTED, "Instagram does not take this video format. Use MP4 or MOV with H.264 and AAC."),
    2207028: Meaning(Kind.REJECTED, "An Instagram carousel takes 2 to 10 items."),
    2207035: Meaning(Kind.REJECTED, _TAGS),
    2207036: Meaning(Kind.REJECTED, _TAGS),
    2207037: Meaning(Kind.REJECTED, _TAGS),
    2207040: Meaning(Kind.REJECTED, _TAGS),
    2207057: Meaning(Kind.REJECTED, "thumbOffset lies outside the video."),
    2207081: Meaning(Kind.REJECTED, "This account cannot publish trial reels."),
}
_CODES = {
    -2: Meaning(Kind.TRANSIENT, _UPLOAD),
    -1: Meaning(Kind.TRANSIENT, _SERVER),
    1: Meaning(Kind.TRANSIENT, _SERVER),
    2: Meaning(Kind.TRANSIENT, _SERVER),
    24: Meaning(Kind.TRANSIENT, _UPLOAD),
    9004: Meaning(Kind.TRANSIENT, _FETCH),
    9007: Meaning(Kind.NOT_READY, "Instagram is still processing the media."),
    9: Meaning(Kind.CAPPED, _DAY),
    4: Meaning(Kind.RATE_LIMITED, _THROTTLED),
    17: Meaning(Kind.RATE_LIMITED, _THROTTLED),
    32: Meaning(Kind.RATE_LIMITED, _THROTTLED),
    613: Meaning(Kind.RATE_LIMITED, _THROTTLED),
    10: Meaning(Kind.AUTH, _PERMISSION),
    200: Meaning(Kind.AUTH, _PERMISSION),
    102: Meaning(Kind.AUTH, _RECONNECT),
    190: Meaning(Kind.AUTH, _RECONNECT),
}
_STATUSES = {
    401: Meaning(Kind.AUTH, _RECONNECT),
    408: Meaning(Kind.TRANSIENT, _SERVER),
    429: Meaning(Kind.RATE_LIMITED, _THROTTLED),
}

_GONE = {"24/2207006", "100/33"}
"""100/33 is how the whole Graph API says that an id does not exist."""
_NEEDS_NEW = {"2207003", "2207006", "2207020", "2207032", "2207052", "2207053", "2207082", "unexplained"}
"""Subcodes after which only a container built anew can help; source: the page of error codes."""


def error_of(response: httpx.Response) -> NetworkError:
    """Map a refusal; Instagram's own words are used only where the code says nothing to us."""
    body = _error(response)
    code, subcode = _number(body.get("code")), _number(body.get("error_subcode"))
    own_words = str(body.get("error_user_msg") or body.get("message") or "")
    meaning = _SUBCODES.get(subcode or 0) or _CODES.get(code or 0) or _STATUSES.get(response.status_code)
    if meaning is None and (body.get("is_transient") is True or not response.is_client_error):
        meaning = Meaning(Kind.TRANSIENT, _SERVER)
    if meaning is None and "business account" in own_words:
        meaning = Meaning(Kind.AUTH, "Instagram publishes only for professional (business or creator) accounts.")
    if meaning is None:
        told = f": {own_words}" if own_words else f" with status {response.status_code}."
        meaning = Meaning(Kind.REJECTED, f"Instagram refused{told}")
    return NetworkError(
        meaning.kind,
        meaning.sentence,
        code="/".join(str(part) for part in (code, subcode) if part is not None) or f"http_{response.status_code}",
        status=response.status_code,
        request_id=body.get("fbtrace_id") or response.headers.get(REQUEST_ID_HEADER),
        retry_after=_wait(response, meaning.kind),
    )


def processing_error(status: str) -> NetworkError:
    """Map what a failed container says of itself."""
    found = re.search(r"\b2207\d{3}\b", status)
    code = found[0] if found else "unexplained"
    meaning = _SUBCODES.get(int(code) if found else 0, Meaning(Kind.TRANSIENT, _UPLOAD))
    return NetworkError(meaning.kind, meaning.sentence, code=code)


def expired() -> NetworkError:
    """Say that a container is no longer there to be published."""
    return NetworkError(Kind.TRANSIENT, _SUBCODES[2207020].sentence, code="expired")


def stuck() -> NetworkError:
    """Say that a container takes too long to be processed."""
    return NetworkError(Kind.TRANSIENT, "Instagram did not finish processing the media.", code="stuck")


def in_progress(retry_after: timedelta) -> NetworkError:
    """Say that a container is still being processed."""
    return NetworkError(Kind.NOT_READY, _SUBCODES[2207027].sentence, code="in_progress", retry_after=retry_after)


def is_gone(error: NetworkError) -> bool:
    """Tell whether Instagram does not know the container (any more)."""
    return error.code in _GONE


def needs_new_container(error: NetworkError) -> bool:
    """Tell whether only a container built anew can help."""
    return error.code.rpartition("/")[2] in _NEEDS_NEW


def _error(response: httpx.Response) -> dict[str, Any]:
    try:
        error = response.json()["error"]
    except (ValueError, KeyError, TypeError):  # HTML from a gateway, or JSON of another shape
        return {}
    return error if isinstance(error, dict) else {}


def _number(value: object) -> int | None:
    return value if isinstance(value, int) else None


def _wait(response: httpx.Response, kind: Kind) -> timedelta | None:
    if kind is Kind.CAPPED:
        return DAILY_CAP_WAIT
    if kind is not Kind.RATE_LIMITED:
        return None
    minutes = max(_regain_minutes(response.headers.get("x-business-use-case-usage", "")), default=0)
    return timedelta(minutes=minutes) if minutes > 0 else None


def _regain_minutes(usage: str) -> Iterator[float]:
    try:
        accounts = json.loads(usage)
        for use_cases in accounts.values():
            for use_case in use_cases:
                yield float(use_case["estimated_time_to_regain_access"])
    except (ValueError, KeyError, TypeError, AttributeError):
        return
