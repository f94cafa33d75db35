"""The mapping of Pinterest's error responses to kinds of PlatformError and messages for people."""

from datetime import timedelta

import httpx

from platforms.errors import ErrorKind, PlatformError
from platforms.http.refusals import Refusals, codes, fields
from platforms.http.untrusted import LONGEST_WAIT, wait
from platforms.http.wire import json_of

LABEL = "Pinterest"
REQUEST_ID_HEADER = "x-pinterest-rid"
"""Seen in responses, documented nowhere: unverified."""

UNFETCHED = "media_unreachable"
"""Our code for media that Pinterest could not fetch: Pinterest says so only in its message."""
UNFETCHED_WAIT = timedelta(seconds=30)
THROTTLED_WAIT = timedelta(seconds=60)
"""Our choice: Pinterest documents no header that says when a limit resets."""

_RECONNECT = "Pinterest no longer accepts this account's connection. Reconnect the account."
_BOARD = "Pinterest does not know this board, or the account may not pin to it. Check boardId."
_SERVER = "Pinterest had an error of its own."
_PERMISSIONS = "Pinterest does not allow this with the account's permissions. Reconnect it and grant them."
_TRIAL = (
    "Pinterest has not approved this service's app for publishing yet: an app with trial access may not make pins. "
    "Ask for standard access in Pinterest's developer portal."
)
_INACTIVE = (
    "Pinterest does not let this service's app call its API. Look into the app's state in Pinterest's developer portal."
)
_NOT_PERMITTED = 7
"""The code of a token without a permission; general knowledge, unverified."""
_LACKS_SCOPES = 3
"""With status 401: the token is valid but lacks scopes, or the app is not activated. Renewing changes neither. Source:
pinterest/api-quickstart#97."""

REFUSALS = Refusals(
    fields("code", "message", optional=("status", "details")),
    codes(*map(str, (1, 2, _LACKS_SCOPES, _NOT_PERMITTED, 8, 9, 29, 40, 50)), UNFETCHED),
)
"""Pinterest's errors are a number and a message (Error in its OpenAPI document). The numbers are those that clients
have reported for refusals of fields, boards, tokens and limits."""


def error_of(response: httpx.Response) -> PlatformError:
    """Return the error of an error response; Pinterest's own message is used if the content is at fault."""
    body, status = json_of(response), response.status_code
    number, said = body.get("code"), str(body.get("message") or "")
    code = str(number) if isinstance(number, int) else f"http_{status}"
    kind, sentence = _meaning(status, number, said)
    if "Unable to reach the URL" in said:
        code, kind = UNFETCHED, ErrorKind.TRANSIENT
        sentence = "Pinterest could not fetch the media from its URL. Check that it is public."
    return PlatformError(
        kind,
        sentence,
        code=code,
        status=status,
        request_id=response.headers.get(REQUEST_ID_HEADER),
        retry_after=_wait(response) if kind is ErrorKind.RATE_LIMITED else None,
    )


def _meaning(status: int, number: object, said: str) -> tuple[ErrorKind, str]:
    words = said.lower()
    if "trial access" in words:
        return ErrorKind.OPERATOR, _TRIAL
    if "consumer type" in words or "restricted feature" in words:
        return ErrorKind.OPERATOR, _INACTIVE
    if status == 401:
        return ErrorKind.AUTH, _PERMISSIONS if number == _LACKS_SCOPES else _RECONNECT
    if status == 403 and number == _NOT_PERMITTED:
        return ErrorKind.AUTH, _PERMISSIONS
    if status == 403 and "not permitted" in words:
        return ErrorKind.REJECTED, _BOARD
    if status == 429:
        return ErrorKind.RATE_LIMITED, "Pinterest is limiting how much this account may do right now."
    if status >= 500 or status == 408:
        return ErrorKind.TRANSIENT, _SERVER
    if "board" in words and status in {403, 404}:
        return ErrorKind.REJECTED, _BOARD
    if "board_id" in said:
        return ErrorKind.REJECTED, "Pinterest does not take this board id: it is a number."
    return ErrorKind.REJECTED, f"Pinterest refused: {said}" if said else "Pinterest refused without a reason."


def has_ended(error: PlatformError) -> bool:
    """Return whether a token has expired. One that is valid but lacks a permission gets the same status."""
    return error.status == httpx.codes.UNAUTHORIZED and error.code != str(_LACKS_SCOPES)


def _wait(response: httpx.Response) -> timedelta:
    """Return how long to wait; that the header of the rate limit counts seconds is unverified.

    Since 2026 the header may name several limits, the decisive one first: `60, 60;w=1;name="..."`.
    """
    for name in ("retry-after", "x-ratelimit-reset"):
        value = response.headers.get(name, "").partition(",")[0].partition(";")[0].strip()
        # A larger number does not count seconds.
        if (asked := wait(value)) and asked < LONGEST_WAIT:
            return asked
    return THROTTLED_WAIT
