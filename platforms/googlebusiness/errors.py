"""The mapping of Google's error responses to kinds of PlatformError and messages for people."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx

from platforms.errors import ErrorKind, Meaning, Meanings, PlatformError
from platforms.google.errors import IN_FORM, operators_fault
from platforms.http.refusals import Refusals
from platforms.http.wire import error_object

LIMIT_WAIT = timedelta(seconds=60)
"""Google names no time; its quotas are per minute."""
LABEL = "Google Business Profile"
PHOTO_FAILURES = frozenset({"PHOTO_FETCH_FAILED", "PHOTO_UPLOAD_FAILED"})
"""Retried once; after that the photo is at fault."""

_MEANINGS = Meanings("Google")
_SERVER = _MEANINGS.server
_REASONS: dict[str, Meaning] = {
    "PHOTO_FETCH_FAILED": (
        ErrorKind.TRANSIENT,
        "Google could not fetch the photo from its URL. Check that it is public.",
    ),
    "PHOTO_UPLOAD_FAILED": (ErrorKind.TRANSIENT, "Google failed while taking in the photo."),
    "OPERATION_UNSUPPORTED_UNDER_ACCOUNT_CONDITION": (
        ErrorKind.REJECTED,
        "Google does not let this profile post in its present state. Sign in to Business Profile to see why.",
    ),
    "LOCATION_DISABLED_FOR_LOCAL_POST_API": (
        ErrorKind.REJECTED,
        "Google lets no app post on this location; locations of chains are often closed to it.",
    ),
}
_BY_CODE = {"1000": "PHOTO_FETCH_FAILED", "1301": "OPERATION_UNSUPPORTED_UNDER_ACCOUNT_CONDITION"}
"""Numbers in `errorDetails[].code`, reported by clients; Google documents none."""
_STATUSES: dict[str, Meaning] = {
    "UNAUTHENTICATED": _MEANINGS.reconnect,
    "PERMISSION_DENIED": (
        ErrorKind.AUTH,
        "Google does not let this account post here. Check that it still manages the location and the app has access.",
    ),
    "NOT_FOUND": (ErrorKind.AUTH, "Google does not find this location or post. Connect the location again."),
    "RESOURCE_EXHAUSTED": _MEANINGS.throttled,
    "UNAVAILABLE": _SERVER,
    "INTERNAL": _SERVER,
    "DEADLINE_EXCEEDED": _SERVER,
}
_BY_NUMBER = {401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND", 429: "RESOURCE_EXHAUSTED"}

_TRUSTED: frozenset[str] = frozenset(
    {
        *(name.lower() for name in _REASONS),
        *("unauthenticated", "permission_denied", "not_found", "resource_exhausted"),
        *("invalid_argument", "failed_precondition"),
    }
)
REFUSALS = Refusals(
    IN_FORM,
    lambda _, error: error.kind is ErrorKind.OPERATOR or error.code in _TRUSTED,
)
"""Source: google.rpc.Status, as cloud.google.com/apis/design/errors writes it in JSON. Its codes that are trusted mean
that the request was not carried out (google.rpc.Code)."""


def read_error(response: httpx.Response) -> PlatformError:
    """Map an error response to a PlatformError; source: google.rpc.Status and what its details hold."""
    if refused := operators_fault(response, LABEL):
        return refused
    body = error_object(response)
    faults = list(_faults(body.get("details")))
    status = str(body.get("status") or _BY_NUMBER.get(response.status_code, ""))
    reason = next(filter(None, map(_reason, faults)), status)
    known = _REASONS.get(reason) or _STATUSES.get(status)
    kind, sentence = known or _MEANINGS.by_status(response.status_code, _details(body, faults))
    return PlatformError(
        kind,
        sentence,
        code=(reason or f"http_{response.status_code}").lower(),
        status=response.status_code,
        retry_after=LIMIT_WAIT if kind is ErrorKind.RATE_LIMITED else None,
    )


def _reason(fault: dict[str, Any]) -> str | None:
    """Return the name of a fault that we know. The API writes numbers, and not always the same number for a fault."""
    code, message = str(fault.get("code")), str(fault.get("message") or "")
    if code in _REASONS:
        return code
    if "fetching image failed" in message.lower():
        return "PHOTO_FETCH_FAILED"
    return _BY_CODE.get(code)


def _details(body: dict[str, Any], faults: list[dict[str, Any]]) -> str:
    reported = [
        f"{fault['field']}: {fault['message']}" if fault.get("field") else str(fault["message"])
        for fault in faults
        if fault.get("message")
    ]
    return "; ".join(reported) or str(body.get("message") or "")


def _faults(details: Any) -> Iterator[dict[str, Any]]:
    for detail in details if isinstance(details, list) else []:
        if isinstance(detail, dict):
            if detail.get("reason"):
                yield {"code": detail["reason"]}
            yield from (fault for fault in detail.get("errorDetails") or [] if isinstance(fault, dict))
