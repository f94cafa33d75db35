"""The mapping of error responses of AT Protocol servers to kinds of PlatformError."""

from datetime import timedelta
from typing import Any

import httpx

from domain.request_limits import Quota
from platforms.bluesky.rules import POINTS
from platforms.errors import ErrorKind, Meaning, Meanings, PlatformError
from platforms.http.refusals import Refusals, codes, fields, matches, repeats_status
from platforms.http.untrusted import quota_from_headers, wait, wait_until
from platforms.http.wire import json_object

BLOB_GONE = "BlobNotFound"
"""Used as our code, too, for servers that say it in words only."""
RECORD_ABSENT = "RecordNotFound"
UPSTREAM = frozenset({"UpstreamFailure", "UpstreamTimeout"})
"""Codes of a server that failed to ask another server for something."""

SHORTEST_WAIT = timedelta(seconds=1)
LONGEST_SAID = 300
"""Characters of its message that are read."""
DAILY_VIDEO_WAIT = timedelta(hours=6)
"""Bluesky counts videos over a day and does not say when the next may come; the wait is our choice."""

_RECONNECT: Meaning = (
    ErrorKind.AUTH,
    "Bluesky no longer accepts this account's connection. Reconnect the account with a new app password.",
)
_TOO_LARGE: Meaning = (ErrorKind.REJECTED, "The file is too large for this Bluesky server.")
_MEANINGS = Meanings("Bluesky", others={401: _RECONNECT, 413: _TOO_LARGE})
_SERVER = _MEANINGS.server

_BY_CODE = {
    "RateLimitExceeded": _MEANINGS.throttled,
    "DailyLimitExceeded": (ErrorKind.CAPPED, "This account has reached Bluesky's number of videos for one day."),
    "TooManyOpenUploads": (ErrorKind.RATE_LIMITED, "Bluesky is still busy with this account's other videos."),
    "InternalServerError": _SERVER,
    "UpstreamFailure": _SERVER,
    "UpstreamTimeout": _SERVER,
    "NotEnoughResources": _SERVER,
    "ServiceOverloaded": _SERVER,
    "InvalidSwap": (ErrorKind.TRANSIENT, "The Bluesky server was writing something else at that moment."),
    BLOB_GONE: (ErrorKind.TRANSIENT, "The Bluesky server no longer has the uploaded media."),
    "UploadNotReady": (ErrorKind.NOT_READY, "Bluesky is still processing the video."),
    "ExpiredToken": _RECONNECT,
    "InvalidToken": _RECONNECT,
    "AuthMissing": _RECONNECT,
    "AuthenticationRequired": _RECONNECT,
    "AuthFactorTokenRequired": (
        ErrorKind.AUTH,
        "Bluesky asks for a second factor. Connect with an app password instead.",
    ),
    "AccountTakedown": (ErrorKind.AUTH, "Bluesky has taken this account down. Sign in at Bluesky to appeal."),
    "AccountSuspended": (ErrorKind.AUTH, "Bluesky has suspended this account. Sign in at Bluesky to see why."),
    "AccountDeactivated": (ErrorKind.AUTH, "This Bluesky account is deactivated. Activate it at Bluesky."),
    "UploadForbidden": (
        ErrorKind.REJECTED,
        "Bluesky does not let this account upload videos. Verify its email address.",
    ),
    "BlobTooLarge": _TOO_LARGE,
    "PayloadTooLarge": _TOO_LARGE,
    "VideoTooLarge": (ErrorKind.REJECTED, "The video is too large for Bluesky. Give a smaller one."),
    "VideoTooLong": (ErrorKind.REJECTED, "The video is too long for Bluesky. Give a shorter one."),
    "BadAspectRatio": (ErrorKind.REJECTED, "The video is too tall or too wide for Bluesky."),
    "InvalidMimeType": (ErrorKind.REJECTED, "Bluesky does not take this type of file. Give a JPEG, PNG, WebP or MP4."),
}
"""Source: the lexicons' errors; github.com/bluesky-social/atproto packages/pds and packages/xrpc-server."""

_named = fields("error", optional=("message",), error=matches("[A-Z][A-Za-z]+"))
REFUSALS = Refusals(
    lambda body, status: _named(body, status) and not repeats_status(body["error"], status),
    codes(
        *(name for name, meaning in _BY_CODE.items() if meaning is not _SERVER),
        "InvalidRequest",
    ),
)
"""An XRPC error is an object with `error` and `message` (atproto.com/specs/xrpc). The server checks record, token and
limits before it writes."""


def read_error(response: httpx.Response) -> PlatformError:
    """Return the error of an error response; the server's own message is used only if its code is unknown to us."""
    body = json_object(response)
    message = str(body.get("message") or "").strip()
    code = _code(body, message) or f"http_{response.status_code}"
    kind, sentence = _BY_CODE.get(code) or _by_status(response, message)
    return PlatformError(
        kind,
        sentence,
        code=code,
        status=response.status_code,
        retry_after=_wait(response, kind),
    )


_OF_VIDEOS = (
    ("exceeded daily upload", ErrorKind.CAPPED, "This account has reached Bluesky's number of videos for one day."),
    ("unconfirmed_email", ErrorKind.REJECTED, "Bluesky takes videos only of accounts with a confirmed email address."),
    ("confirm your email", ErrorKind.REJECTED, "Bluesky takes videos only of accounts with a confirmed email address."),
    ("not old enough", ErrorKind.REJECTED, "Bluesky does not take videos of so new an account yet."),
    (
        "profile_not_found",
        ErrorKind.REJECTED,
        "Bluesky's video service does not know this account yet. Set up its profile in the app, and try again.",
    ),
)
"""Messages of the video service about an account; source: github.com/bluesky-social/social-app, and
bluesky-social/atproto#3097 and #4778."""


_WORDED = fields("error", "message", error=matches(r"\w+"))


def read_video_error(response: httpx.Response) -> PlatformError:
    """Return the error of an error response of the video service. It never concerns the account, whatever its status.

    It may come with status 200: a job without an id that has an error, or limits that allow nothing. A gateway's is
    transient.
    """
    body, status = json_object(response), response.status_code
    wrapped = body.get("jobStatus")
    job = wrapped if isinstance(wrapped, dict) else {}
    reasons = " ".join(str(part.get(name) or "") for part in (body, job) for name in ("error", "message"))[
        :LONGEST_SAID
    ]
    code = str(body.get("error") or job.get("error") or f"http_{status}")[:64]
    for words, kind, sentence in _OF_VIDEOS:
        if words in reasons.lower():
            wait = DAILY_VIDEO_WAIT if kind is ErrorKind.CAPPED else None
            return PlatformError(kind, sentence, code=code, status=status, retry_after=wait)
    error = read_error(response)
    if not response.is_error or error.kind is ErrorKind.AUTH:
        sentence = f"Bluesky's video service does not take this account's video: {reasons.strip() or code}"
        error = PlatformError(ErrorKind.REJECTED, sentence, code=code, status=status)
    is_own = wrapped or "did" in body or (_WORDED(body, status) and not repeats_status(code, status))
    if response.is_error and error.kind is ErrorKind.REJECTED and not is_own:
        return PlatformError(*_SERVER, code=code, status=status)
    return error


def video_day_used_up() -> PlatformError:
    """Return the error that the account may upload no more videos today."""
    kind, sentence = _BY_CODE["DailyLimitExceeded"]
    return PlatformError(kind, sentence, code="DailyLimitExceeded", retry_after=DAILY_VIDEO_WAIT)


def _code(body: dict[str, Any], message: str) -> str:
    if "Could not find blob" in message:
        return BLOB_GONE
    if "Could not locate record" in message:
        return RECORD_ABSENT
    return str(body.get("error") or "")[:64]


def _by_status(response: httpx.Response, message: str) -> Meaning:
    if response.is_redirect or (response.status_code == httpx.codes.NOT_FOUND and not message):
        absent = "There is no Bluesky server at the account's address. Check it and reconnect the account."
        return ErrorKind.REJECTED, absent
    return _MEANINGS.by_status(response.status_code, message)


def quota_in(response: httpx.Response) -> Quota | None:
    """Return the number of records for which the account's remaining points are enough."""
    return quota_from_headers(response, "ratelimit-remaining", _wait(response, ErrorKind.RATE_LIMITED), cost=POINTS)


def _wait(response: httpx.Response, kind: ErrorKind) -> timedelta | None:
    if kind is ErrorKind.CAPPED:
        return DAILY_VIDEO_WAIT
    if kind is not ErrorKind.RATE_LIMITED:
        return None
    asked = wait(response.headers.get("retry-after", ""))
    delay = wait_until(response.headers.get("ratelimit-reset", "")) if asked is None else asked
    return None if delay is None else max(delay, SHORTEST_WAIT)
