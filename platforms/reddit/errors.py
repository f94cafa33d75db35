"""The mapping of Reddit's errors, by status or in a response with status 200."""

import math
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx

from domain.request_limits import Quota
from platforms.errors import DUPLICATE, ErrorKind, Meaning, Meanings, PlatformError
from platforms.http.refusals import Refusals, codes
from platforms.http.untrusted import LONGEST_WAIT, quota_from_headers, wait
from platforms.http.wire import json_object

THROTTLED_WAIT = timedelta(minutes=10)
"""The wait if Reddit names none: the window of its rate limit; general knowledge, unverified."""

_MEANINGS = Meanings("Reddit")
_SLOW = "Reddit lets this account post again only after a while."
_CLOSED = "Reddit does not let this account post in this subreddit."
_UNKNOWN = "Reddit does not know this subreddit. Check its name."
_LINK = "Reddit does not take this link. Check its address."

_BY_CODE = {
    "RATELIMIT": (ErrorKind.RATE_LIMITED, _SLOW),
    "SUBREDDIT_RATELIMIT": (ErrorKind.RATE_LIMITED, _SLOW),
    "QUOTA_FILLED": (ErrorKind.RATE_LIMITED, _SLOW),
    "USER_REQUIRED": _MEANINGS.reconnect,
    "ALREADY_SUB": (ErrorKind.REJECTED, "This subreddit has that link already."),
    "BANNED_FROM_SUBREDDIT": (ErrorKind.REJECTED, "This account is banned from the subreddit."),
    "IN_TIMEOUT": (ErrorKind.REJECTED, "Reddit has suspended this account for a while."),
    "SUBREDDIT_NO_ACCESS": (ErrorKind.REJECTED, _CLOSED),
    "SUBREDDIT_NOTALLOWED": (ErrorKind.REJECTED, _CLOSED),
    "SUBREDDIT_NOEXIST": (ErrorKind.REJECTED, _UNKNOWN),
    "SUBREDDIT_REQUIRED": (ErrorKind.REJECTED, _UNKNOWN),
    "BAD_SR_NAME": (ErrorKind.REJECTED, _UNKNOWN),
    "NO_SELFS": (ErrorKind.REJECTED, "This subreddit takes no text posts. Give it a link or an image."),
    "NO_LINKS": (ErrorKind.REJECTED, "This subreddit takes no links. Give it a text."),
    "IMAGES_NOTALLOWED": (ErrorKind.REJECTED, "This subreddit takes no images. Give it a text or a link."),
    "NO_TEXT": (ErrorKind.REJECTED, "Reddit needs a title or a text here."),
    "TOO_LONG": (ErrorKind.REJECTED, "The title or the text is too long for Reddit. Shorten it."),
    "TOO_SHORT": (ErrorKind.REJECTED, "The title or the text is too short for this subreddit."),
    "BAD_URL": (ErrorKind.REJECTED, _LINK),
    "NO_URL": (ErrorKind.REJECTED, _LINK),
    "INVALID_SCHEME": (ErrorKind.REJECTED, _LINK),
    "DOMAIN_BANNED": (ErrorKind.REJECTED, "Reddit does not take links to this site."),
    "BAD_CAPTCHA": (ErrorKind.REJECTED, "Reddit wants a person to post for so new an account. Post once by hand."),
    "SUBMIT_VALIDATION_FLAIR_REQUIRED": (ErrorKind.REJECTED, "This subreddit wants a flair. Set flairId."),
}
"""Source: github.com/reddit-archive/reddit, r2/lib/errors.py; for IMAGES_NOTALLOWED, QUOTA_FILLED and SUBMIT_VALIDATION
general knowledge, unverified."""


_ID = re.compile(r"(?:t3_)?([0-9a-z]{1,16})")


def _is_error(body: Mapping[str, Any], status: int) -> bool:
    """Return whether a body is an error: it names no post. Without a list of errors, it repeats the status."""
    inner = body.get("json")
    if body.keys() == {"json"} and isinstance(inner, dict):
        is_known = inner.keys() <= {"errors", "data", "ratelimit", "captcha"}
        return is_known and bool(inner.get("errors")) and not inner.get("data")
    is_known = body.keys() <= {"error", "message", "reason", "explanation", "fields"}
    return is_known and "message" in body and (body.get("error") == status or "explanation" in body)


REFUSALS = Refusals(_is_error, codes(*_BY_CODE, DUPLICATE), in_success=True)
"""Reddit checks a submission before it makes the post (r2/controllers/api.py of its archive). It has answered with an
error and the post that it made (praw-dev/praw#1768)."""


def read_error(response: httpx.Response) -> PlatformError:
    """Map an error response to a PlatformError."""
    body = json_object(response)
    if within := error_within(body, response):
        return within
    status, message = response.status_code, str(body.get("explanation") or body.get("message") or "")
    kind, sentence = _meaning_of_403(response, body) if status == 403 else _MEANINGS.by_status(status, message)
    return PlatformError(
        kind,
        sentence,
        code=str(body.get("reason") or f"http_{status}"),
        status=status,
        retry_after=_until_reset(response) if kind is ErrorKind.RATE_LIMITED else None,
    )


def _meaning_of_403(response: httpx.Response, body: Mapping[str, Any]) -> Meaning:
    if body.get("reason"):
        return ErrorKind.REJECTED, _CLOSED
    if "insufficient_scope" in response.headers.get("www-authenticate", ""):
        sentence = "Reddit does not allow this with the account's permissions. Reconnect the account and grant them."
        return ErrorKind.AUTH, sentence
    if not body:
        # A page of Reddit's network security, not its API: it passes, and says nothing about the account.
        return ErrorKind.TRANSIENT, "Reddit rejected the request without processing it."
    return ErrorKind.REJECTED, "Reddit does not allow this. Check the subreddit's rules and the account's rights."


def named_post(body: Mapping[str, Any]) -> str | None:
    """Return the name (t3_…) of the post that a response says was made; a gallery's response has it as the id."""
    inner = body.get("json")
    data = inner.get("data") if isinstance(inner, dict) else None
    for name in (data.get("name"), data.get("id")) if isinstance(data, dict) else ():
        if isinstance(name, str) and (match := _ID.fullmatch(name)):
            return f"t3_{match[1]}"
    return None


def error_within(body: dict[str, Any], response: httpx.Response) -> PlatformError | None:
    """Return the error for the first error in a response of any status: a code, Reddit's message and a field.

    A response that names the post is none: Reddit has reported a limit beside the post that it made.
    """
    inner = body.get("json")
    errors = inner.get("errors") if isinstance(inner, dict) else None
    if not isinstance(inner, dict) or not isinstance(errors, list) or not errors or named_post(body):
        return None
    first = errors[0] if isinstance(errors[0], list) else [errors[0]]
    code, message = str(first[0]), str(first[1] if len(first) > 1 else "")
    kind, sentence = _BY_CODE.get(code) or (ErrorKind.REJECTED, f"Reddit refused: {message or code}")
    return PlatformError(
        kind,
        sentence,
        code=DUPLICATE if code == "ALREADY_SUB" else code,
        status=response.status_code,
        retry_after=_limit_wait(inner.get("ratelimit"), message) if kind is ErrorKind.RATE_LIMITED else None,
    )


def _limit_wait(seconds: object, message: str) -> timedelta:
    if asked := wait(seconds):
        return timedelta(seconds=math.ceil(asked.total_seconds()))
    if span := re.search(r"(\d{1,6}) (millisecond|second|minute|hour)", message):
        return min(timedelta(**{f"{span[2]}s": int(span[1])}), LONGEST_WAIT)
    return THROTTLED_WAIT


def quota_in(response: httpx.Response) -> Quota | None:
    """Return how many requests are left of the ten minutes; only refusals report the throttle on posts."""
    return quota_from_headers(response, "x-ratelimit-remaining", _until_reset(response))


def _until_reset(response: httpx.Response) -> timedelta:
    for name in ("retry-after", "x-ratelimit-reset"):
        if asked := wait(response.headers.get(name)):
            return asked
    return THROTTLED_WAIT
