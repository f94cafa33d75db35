"""The mapping of Pinterest's error responses to kinds of PlatformError and messages for people."""

import re
from datetime import timedelta

import httpx

from platforms.errors import ErrorKind, Meaning, Meanings, PlatformError
from platforms.http.refusals import Refusals, codes, fields, is_numbered, matches
from platforms.http.untrusted import LONGEST_WAIT, wait
from platforms.http.wire import json_object

UNFETCHED = "media_unreachable"
"""Our code for media that Pinterest could not fetch: Pinterest says so only in its message."""
UNREACHED_WAIT = timedelta(seconds=30)
UNFETCHED_WAIT = timedelta(minutes=15)
"""Pinterest's fetching of images fails at times for some 25 minutes; source: reports of a scheduler's users in 2026.
The numbers are ours."""
BLOCK_WAIT = timedelta(hours=6)
"""Pinterest does not say how long it blocks an account; the number is ours."""
THROTTLED_WAIT = timedelta(seconds=60)
"""Our choice: Pinterest documents no header that says when a limit resets."""

_BOARD = "Pinterest does not know this board, or the account may not pin to it. Check boardId."
_PERMISSIONS = "Pinterest does not allow this with the account's permissions. Reconnect it and grant them."
_TRIAL = (
    "Pinterest has not approved this service's app for publishing yet: an app with trial access may not make pins. "
    "Ask for standard access in Pinterest's developer portal."
)
_INACTIVE = (
    "Pinterest does not let this service's app call its API. Look into the app's state in Pinterest's developer portal."
)
_SPAM = "Pinterest takes this account's pins for spam and has blocked them for some hours."
_MEANINGS = Meanings("Pinterest")
_NOT_PERMITTED = 7
"""The code of a token without a permission; general knowledge, unverified."""
_BLOCKED = 9
"""The code of a block on an account's pins as spam; seen with status 403 and 429."""
_OWN_FAULT = 2787
"""The code of "Something went wrong on our end", seen with statuses that blame the client."""
_LACKS_SCOPES = 3
"""With status 401: the token is valid but lacks scopes, or the app is not activated. Renewing changes neither. Source:
pinterest/api-quickstart#97."""

_known_fields = fields(
    *("code", "message"),
    optional=("status", "details"),
    message=matches(".*"),
    status=matches(".*"),
    details=lambda details: isinstance(details, dict),
)
REFUSALS = Refusals(
    # A gateway that has this form lists details, as gRPC does.
    lambda body, status: _known_fields(body, status) and is_numbered(body, status),
    codes(*map(str, (1, 2, _LACKS_SCOPES, _NOT_PERMITTED, 8, _BLOCKED, 29, 40, 50)), UNFETCHED),
)
"""Pinterest's errors are a number and a message (Error in its OpenAPI document). The numbers are those that clients
have reported for refusals of fields, boards, tokens and limits."""


def read_error(response: httpx.Response) -> PlatformError:
    """Return the error of an error response; Pinterest's own message is used if the content is at fault."""
    body, status = json_object(response), response.status_code
    number, message = body.get("code"), str(body.get("message") or "")
    code = str(number) if isinstance(number, int) else f"http_{status}"
    kind, sentence = _meaning(status, number, message)
    unfetched = next((pause for words, pause in _UNFETCHED if words in message), None)
    if unfetched:
        code, kind = UNFETCHED, ErrorKind.TRANSIENT
        sentence = "Pinterest could not fetch the media from its URL. Check that it is public."
    return PlatformError(kind, sentence, code=code, status=status, retry_after=unfetched or _wait(kind, response))


_UNFETCHED = (("Unable to reach the URL", UNREACHED_WAIT), ("could not fetch the image", UNFETCHED_WAIT))
"""The words of media that Pinterest could not fetch, and how long to wait for the next try."""


_ROWS: tuple[tuple[set[int] | None, int | None, str, Meaning], ...] = (
    (None, None, "trial access", (ErrorKind.OPERATOR, _TRIAL)),
    (None, None, "consumer type|restricted feature", (ErrorKind.OPERATOR, _INACTIVE)),
    (None, _OWN_FAULT, "", _MEANINGS.server),
    ({403, 429}, _BLOCKED, "", (ErrorKind.CAPPED, _SPAM)),
    ({403}, _NOT_PERMITTED, "", (ErrorKind.AUTH, _PERMISSIONS)),
    ({401}, _LACKS_SCOPES, "", (ErrorKind.AUTH, _PERMISSIONS)),
    ({403}, None, "not permitted|board", (ErrorKind.REJECTED, _BOARD)),
    ({404}, None, "board", (ErrorKind.REJECTED, _BOARD)),
    ({400, 422}, None, "board_id", (ErrorKind.REJECTED, "Pinterest does not take this board id: it is a number.")),
)
"""Meanings by status, number and words of the message, each if given; the first that fits counts."""


def _meaning(status: int, number: object, message: str) -> Meaning:
    for statuses, code, words, meaning in _ROWS:
        fits = (statuses is None or status in statuses) and code in (None, number)
        if fits and re.search(words, message, re.IGNORECASE):
            return meaning
    return _MEANINGS.by_status(status, message)


def has_ended(error: PlatformError) -> bool:
    """Return whether a token has expired. One that is valid but lacks a permission gets the same status."""
    return error.status == httpx.codes.UNAUTHORIZED and error.code != str(_LACKS_SCOPES)


def _wait(kind: ErrorKind, response: httpx.Response) -> timedelta | None:
    """Return how long to wait; that the header of the rate limit counts seconds is unverified.

    Since 2026 the header may name several limits, the decisive one first: `60, 60;w=1;name="..."`.
    """
    if kind is not ErrorKind.RATE_LIMITED:
        return BLOCK_WAIT if kind is ErrorKind.CAPPED else None
    for name in ("retry-after", "x-ratelimit-reset"):
        value = response.headers.get(name, "").partition(",")[0].partition(";")[0].strip()
        # A larger number does not count seconds.
        if (asked := wait(value)) and asked < LONGEST_WAIT:
            return asked
    return THROTTLED_WAIT
