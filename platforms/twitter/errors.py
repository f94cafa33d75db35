"""The mapping of X's error responses to kinds of PlatformError and messages for people."""

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import httpx

from domain.request_limits import Quota
from platforms.errors import ACCOUNT_LOCKED, DUPLICATE, ErrorKind, Meaning, Meanings, PlatformError
from platforms.http.refusals import Refusals, alternatives, codes, fields, is_numbered, matches
from platforms.http.untrusted import quota_from_headers, wait_until
from platforms.http.wire import json_object

LONGEST_CODE = 64
SHORTEST_WAIT = timedelta(seconds=1)
_DAYS = {
    "x-user-limit-24hour": "This account has reached X's number of posts for 24 hours.",
    "x-app-limit-24hour": "The X app behind this service has reached its number of posts for 24 hours.",
}
"""The headers of a limit of 24 hours, each followed by -remaining and -reset, with their meaning. Their names are from
responses that clients saw; unverified."""

_CREDITS = "The X app has no credits or posts of its plan left. Buy credits or raise the plan in X's developer console."
_SPEND_CAP = "The X app has reached its spending cap. Raise the cap in X's developer console."
_ACCESS = "X does not let the X app post. Check its access level and permissions in X's developer console."
_UNSUPPORTED = "X does not accept this kind of token for posting. Reconnect the account as a user."
_MENTION = "X lets this app reply to or quote only posts that mention the account or are its own."
_CRYPTO = "X takes no crypto addresses from accounts in their first 7 days. Remove the address, or wait."
_MEANINGS = Meanings(
    "X",
    others={402: (ErrorKind.OPERATOR, _CREDITS)},
    words=(
        ("only reply to or quote|reply.*mentioned|mentioned.*reply", (ErrorKind.REJECTED, _MENTION)),
        # Seen with status 403 in public reports of a scheduler, 70 times in 45 days of 2026.
        ("crypto addresses are prohibited", (ErrorKind.REJECTED, _CRYPTO)),
        ("not allowed to post a video", (ErrorKind.REJECTED, "X refused: {message}")),
        ("unsupported authentication", (ErrorKind.AUTH, _UNSUPPORTED)),
    ),
)
"""The words concern what one post asks for, whatever code a refusal has: X uses `not-authorized-for-resource` both for
a forbidden reply or quote and for a missing permission."""
_SERVER = _MEANINGS.server
_DUPLICATE = "duplicate content"
"""Seen with status 403 in public reports of many clients; X's documentation does not name it."""

_IS_LOCKED = "account is temporarily locked"
"""Seen with status 403 in public reports of a scheduler, 568 times in 45 days of 2026."""
_BY_CODE = {
    "rate_limit_exceeded": _MEANINGS.throttled,
    "usage_capped": (ErrorKind.OPERATOR, _CREDITS),
    "credits": (ErrorKind.OPERATOR, _CREDITS),
    "credits_depleted": (ErrorKind.OPERATOR, _CREDITS),
    "creditsdepleted": (ErrorKind.OPERATOR, _CREDITS),
    "spendcapreached": (ErrorKind.OPERATOR, _SPEND_CAP),
    "spend_cap_reached": (ErrorKind.OPERATOR, _SPEND_CAP),
    "oauth1_permissions": (ErrorKind.OPERATOR, _ACCESS),
    "unsupported_authentication": (ErrorKind.AUTH, _UNSUPPORTED),
    "client_forbidden": (ErrorKind.OPERATOR, _ACCESS),
    ACCOUNT_LOCKED: (ErrorKind.AUTH, "X has locked this account. Log in at x.com and unlock it."),
    "user_suspended": (ErrorKind.AUTH, "X has suspended this account. Sign in at X to see why."),
    "internal_error": _SERVER,
    DUPLICATE: (ErrorKind.REJECTED, "X refuses a post that repeats one this account made before."),
}
"""Source: the problem types of X's documentation and OpenAPI document, as the part after the last slash."""


_NOT_AUTHORIZED = "not_authorized_for_resource"
_OF_THE_ACCOUNT = ("permission", "scope")
"""Words in the message of a refusal of that name if it concerns the whole account."""

_LOCKED = "326"
"""The code of a locked account in X's older form of errors; X's page of response codes had it."""

_OF_PROBLEMS = ("status", "parameter", "value", "field", "section", "resource_id", "resource_type", "errors")
_OF_OLDER_PROBLEMS = (
    "reason", "client_id", "required_enrollment", "registration_url", "account_id", "product_name", "period", "scope",
)  # fmt: skip
"""What refusals of an app and its plan have in addition; responses that clients saw."""
_FORMS = alternatives(
    fields(
        *("type", "title", "detail"),
        optional=(*_OF_PROBLEMS, *_OF_OLDER_PROBLEMS),
        type=matches(r"about:blank|https://(?:\w+\.)*(?:twitter|x)\.com/.*"),
    ),
    lambda body, status: body.keys() == {"code", "message"} and is_numbered(body, status),
    lambda body, status: body.keys() == {"errors"} and is_numbered(_first(body), status),
)
"""The forms of errors: Problem and Error of the X API v2 OpenAPI document, and that of API 1.1."""

_BEFORE_ALL = codes(
    *(name for name, meaning in _BY_CODE.items() if meaning is not _SERVER),
    *(_NOT_AUTHORIZED, "forbidden", "invalid_request", "payment_required", ACCOUNT_LOCKED),
)
# "Forbidden" without a reason may be a gateway's: RFC 9457 has the form of X's own problems.
REFUSALS = Refusals(
    _FORMS, lambda body, error: _BEFORE_ALL(body, error) and body.get("detail") != "Forbidden", is_plain=True
)


def read_error(response: httpx.Response) -> PlatformError:
    """Map an error response to a PlatformError."""
    return problem_error(json_object(response), response)


def problem_error(problem: Mapping[str, Any], response: httpx.Response) -> PlatformError:
    """Return the error of one problem: the whole body of an error response, or a part of a successful response."""
    message = _words(problem)
    status = problem.get("status") if response.is_success else response.status_code
    status = status if isinstance(status, int) else None
    own = _code(problem) or f"http_{status}"
    code = ACCOUNT_LOCKED if own == _LOCKED or _IS_LOCKED in message.lower() else own
    code = DUPLICATE if _DUPLICATE in message.lower() else code
    kind, sentence = (
        _MEANINGS.by_words(message) or _by_name(problem, code, message) or _MEANINGS.by_status(status, message)
    )
    wait = _until_reset(response, "x-rate-limit") if kind is ErrorKind.RATE_LIMITED else None
    if kind is ErrorKind.RATE_LIMITED and (day := _day_used_up(response)):
        kind, sentence, wait = ErrorKind.CAPPED, _DAYS[day], _until_reset(response, day)
    return PlatformError(kind, sentence, code=code, status=response.status_code, retry_after=wait)


def _words(problem: Mapping[str, Any]) -> str:
    """Return X's message for people; a general error often has the precise message in a list inside it."""
    first = _first(problem)
    words = (first.get("message"), problem.get("detail"), problem.get("message"), problem.get("title"))
    return next((word.strip() for word in words if isinstance(word, str) and word.strip()), "")


def _first(problem: Mapping[str, Any]) -> Mapping[str, Any]:
    beneath = problem.get("errors")
    return beneath[0] if isinstance(beneath, list) and beneath and isinstance(beneath[0], dict) else {}


def _code(problem: Mapping[str, Any]) -> str:
    for part in (problem, _first(problem)):
        if isinstance(part.get("code"), int):
            return str(part["code"])
    kind = str(problem.get("type") or "")
    return _as_code(kind.rpartition("/")[2] if "/" in kind else problem.get("title"))


def _by_name(problem: Mapping[str, Any], code: str, message: str) -> Meaning | None:
    """Return the meaning of a problem's type or title."""
    if code == _NOT_AUTHORIZED and any(part in message.lower() for part in _OF_THE_ACCOUNT):
        sentence = "X does not allow this with the account's permissions. Reconnect the account and grant them."
        return ErrorKind.AUTH, sentence
    return _BY_CODE.get(code) or _BY_CODE.get(_as_code(problem.get("title")))


def _as_code(name: object) -> str:
    name = str(name or "")
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")[:LONGEST_CODE]


def _day_used_up(response: httpx.Response) -> str | None:
    return next((name for name in _DAYS if response.headers.get(f"{name}-remaining") == "0"), None)


def quota_in(response: httpx.Response) -> Quota | None:
    """Return what remains of the account's scarcest limit: that of 15 minutes, and those of a day."""
    limits = ("x-rate-limit", *_DAYS)
    reported = (quota_from_headers(response, f"{limit}-remaining", _until_reset(response, limit)) for limit in limits)
    return min((quota for quota in reported if quota), key=lambda quota: quota.remaining, default=None)


def _until_reset(response: httpx.Response, limit: str) -> timedelta | None:
    resets_in = wait_until(response.headers.get(f"{limit}-reset", ""))
    return None if resets_in is None else max(resets_in, SHORTEST_WAIT)
