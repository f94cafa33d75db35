"""The mapping of YouTube's error responses, by their reason, to kinds of PlatformError."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx

from platforms.errors import ErrorKind, Meanings, PlatformError
from platforms.google.errors import IN_FORM, is_limit_of_a_day, operators_fault
from platforms.http.refusals import Refusals
from platforms.http.untrusted import wait
from platforms.http.wire import json_object

QUOTA_ZONE = ZoneInfo("America/Los_Angeles")
"""Quotas start again at midnight there; source: YouTube's page on quota."""
UPLOAD_LIMIT_WAIT = timedelta(hours=6)
"""YouTube counts a channel's uploads over 24 hours but does not say when the next is allowed; the number is ours."""

_MEANINGS = Meanings("YouTube", owner="channel")
_RECONNECT, _SERVER, _THROTTLED = _MEANINGS.reconnect, _MEANINGS.server, _MEANINGS.throttled
_QUOTA = (ErrorKind.CAPPED, "The Google project behind this service has used up its YouTube quota for today.")
_APP = (ErrorKind.OPERATOR, "Google does not accept this service's client id and secret. Check the app's credentials.")
_SUSPENDED = (ErrorKind.AUTH, "YouTube has closed or suspended this channel. Look into YouTube Studio.")
_THUMBNAIL = (ErrorKind.REJECTED, "YouTube takes thumbnails as JPEG or PNG of up to 50 MB.")

_BY_REASON = {
    "backendError": _SERVER,
    "internalError": _SERVER,
    "rateLimitExceeded": _THROTTLED,
    "userRateLimitExceeded": _THROTTLED,
    "uploadRateLimitExceeded": _THROTTLED,
    "quotaExceeded": _QUOTA,
    "dailyLimitExceeded": _QUOTA,
    "uploadLimitExceeded": (ErrorKind.CAPPED, "This channel has reached YouTube's number of uploads for one day."),
    "invalidTitle": (ErrorKind.REJECTED, "YouTube does not take this title. Change it."),
    "invalidDescription": (ErrorKind.REJECTED, "YouTube does not take this description."),
    "invalidTags": (ErrorKind.REJECTED, "YouTube does not take these tags."),
    "invalidCategoryId": (ErrorKind.REJECTED, "YouTube does not know this category."),
    "mediaBodyRequired": (ErrorKind.REJECTED, "YouTube got no video."),
    "forbiddenPrivacySetting": (ErrorKind.REJECTED, "YouTube does not let this channel choose this visibility."),
    "imageFormatUnsupported": _THUMBNAIL,
    "imageTooTall": _THUMBNAIL,
    "imageTooWide": _THUMBNAIL,
    "playlistNotFound": (ErrorKind.REJECTED, "YouTube does not find the playlist."),
    "commentsDisabled": (ErrorKind.REJECTED, "Comments are switched off for this video."),
    "youtubeSignupRequired": (ErrorKind.AUTH, "This Google account has no YouTube channel."),
    "channelClosed": _SUSPENDED,
    "channelSuspended": _SUSPENDED,
    "authenticatedUserAccountSuspended": _SUSPENDED,
    "authorizationRequired": _RECONNECT,
    "authError": _RECONNECT,
    "required": _RECONNECT,
    "invalid_grant": _RECONNECT,
    "invalid_client": _APP,
    "unauthorized_client": _APP,
    "forbidden": (
        ErrorKind.AUTH,
        "YouTube does not let this connection use the channel. Look into YouTube Studio, or reconnect the account.",
    ),
    "insufficientPermissions": (
        ErrorKind.AUTH,
        "The channel's connection lacks a permission. Reconnect the account and grant all that is asked for.",
    ),
}
"""Source: YouTube's page of errors."""

_TRUSTED: frozenset[str] = frozenset({*(name for name, meaning in _BY_REASON.items() if meaning is not _SERVER)})
REFUSALS = Refusals(
    IN_FORM,
    lambda _, error: error.kind is ErrorKind.OPERATOR or error.code in _TRUSTED,
)
"""Source: YouTube's page of errors, and google.rpc.Status."""


def read_error(response: httpx.Response) -> PlatformError:
    """Return the error of an error response; YouTube's own message is used only if its reason is unknown to us."""
    if refused := operators_fault(response, "YouTube"):
        return refused
    (reason, message), status = _reason_and_message(response), response.status_code
    known = _QUOTA if _is_quota_of_a_day(reason, response) else _BY_REASON.get(reason)
    kind, sentence = known or (_SERVER if response.is_redirect else _MEANINGS.by_status(status, message))
    wait_for = _wait(kind, reason, response)
    return PlatformError(kind, sentence, code=reason or f"http_{status}", status=status, retry_after=wait_for)


def _is_quota_of_a_day(reason: str, response: httpx.Response) -> bool:
    """Return whether the project's daily uploads are used up, which has the same reason as a limit of minutes."""
    return reason in {"rateLimitExceeded", "RESOURCE_EXHAUSTED"} and is_limit_of_a_day(response)


def until_quota_resets(now: datetime) -> timedelta:
    """Return how long it is until midnight in California."""
    there = now.astimezone(QUOTA_ZONE)
    midnight = (there + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight.astimezone(UTC) - now.astimezone(UTC)


def _reason_and_message(response: httpx.Response) -> tuple[str, str]:
    error = json_object(response).get("error")
    if isinstance(error, str):  # OAuth's own shape
        return error, str(json_object(response).get("error_description") or "")
    if not isinstance(error, dict):
        return "", ""
    beneath = error.get("errors")
    first = beneath[0] if isinstance(beneath, list) and beneath and isinstance(beneath[0], dict) else {}
    return str(first.get("reason") or error.get("status") or ""), str(error.get("message") or "")


def _wait(kind: ErrorKind, reason: str, response: httpx.Response) -> timedelta | None:
    if kind is ErrorKind.CAPPED:
        return UPLOAD_LIMIT_WAIT if reason == "uploadLimitExceeded" else until_quota_resets(datetime.now(UTC))
    if kind is not ErrorKind.RATE_LIMITED:
        return None
    seconds = response.headers.get("retry-after", "")
    return wait(seconds)
