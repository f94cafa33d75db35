"""Errors that Google's APIs share: refusals of the operator's project, and limits per day."""

from collections.abc import Mapping
from typing import Any

import httpx

from platforms.errors import ErrorKind, PlatformError
from platforms.http.refusals import Body, Envelope, fields, matches, within
from platforms.http.wire import error_object

_NOT_ENABLED = frozenset({"SERVICE_DISABLED", "accessNotConfigured", "API_KEY_SERVICE_BLOCKED", "CONSUMER_INVALID"})
"""Source: google.api.ErrorReason, and the older reasons of the same meaning."""

_named = fields(optional=("code", "message", "status", "details", "errors"), status=matches("[A-Z][A-Z_]+"))


def _is_googles(error: Body, status: int) -> bool:
    """Return whether an error has a code by name, or a list of reasons: many gateways write a number and a message."""
    return _named(error, status) and (
        "status" in error or any("reason" in fault for fault in _list(error.get("errors")))
    )


IN_FORM: Envelope = within("error", _is_googles)
"""The form of errors of Google's APIs: google.rpc.Status, and the older one with reasons."""


def operators_fault(response: httpx.Response, label: str) -> PlatformError | None:
    """Return the error of a project that may not call the API; None for any other response.

    Until Google has approved a project, it has no quota: Google then reports a limit of 0.
    """
    reason, more = error_info(response)
    reasons = {reason, *(str(fault.get("reason")) for fault in _list(error_object(response).get("errors")))}
    if not_enabled := reasons & _NOT_ENABLED:
        service = str(more.get("serviceTitle") or more.get("service") or f"the API of {label}")[:100]
        message = f"{service} is not enabled in the Google project of this service. Enable it in Google's console."
        return _operator(response, message, min(not_enabled))
    if more.get("quota_limit_value") == "0":
        message = (
            f"Google has not approved this service's project for {label}: it has a quota of 0. Ask Google for access."
        )
        return _operator(response, message, reason or "quota_limit_0")
    return None


def is_limit_of_a_day(response: httpx.Response) -> bool:
    """Return whether a limit per day was reached. Google answers both this and a limit per minute with 429."""
    _, more = error_info(response)
    words = f"{more.get('quota_limit', '')} {error_object(response).get('message', '')}".lower().replace(" ", "")
    return "perday" in words


def error_info(response: httpx.Response) -> tuple[str, Mapping[str, Any]]:
    """Return reason and metadata of an error's google.rpc.ErrorInfo; empty ones if it has none."""
    for detail in _list(error_object(response).get("details")):
        if str(detail.get("@type", "")).endswith("google.rpc.ErrorInfo"):
            metadata = detail.get("metadata")
            return str(detail.get("reason") or ""), metadata if isinstance(metadata, dict) else {}
    return "", {}


def _operator(response: httpx.Response, message: str, code: str) -> PlatformError:
    return PlatformError(ErrorKind.OPERATOR, message, code=code, status=response.status_code)


def _list(value: object) -> list[dict[str, Any]]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
