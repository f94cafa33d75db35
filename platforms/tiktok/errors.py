"""The mapping of TikTok's errors, which also come with status 200 and as reasons why processing failed."""

from datetime import timedelta

import httpx

from platforms.errors import ErrorKind, Meanings, PlatformError
from platforms.http.refusals import Body, Refusals, codes
from platforms.http.wire import json_object

MINUTE = timedelta(seconds=61)
"""TikTok counts requests over a sliding minute and names no wait."""
DAILY_CAP_WAIT = timedelta(hours=6)
"""TikTok counts posts over the last 24 hours but does not say when the next is allowed; the number is ours."""

_MEANINGS = Meanings("TikTok")
_RECONNECT, _SERVER = _MEANINGS.reconnect, _MEANINGS.server
_SCOPE = (
    ErrorKind.AUTH,
    "TikTok does not allow this with the account's permissions. Reconnect the account and grant them.",
)
_PULL = (
    ErrorKind.REJECTED,
    "TikTok could not fetch the media from their URLs. Check that they are public https addresses.",
)
_SPAM = (ErrorKind.REJECTED, "TikTok took this for spam and refused it.")

NOT_AUDITED = "unaudited_client_can_only_post_to_private_accounts"
"""TikTok means the account: posts with SELF_ONLY to an account that is not private are refused, too
(brightbeanxyz/brightbean-studio#144)."""
ADDRESS_UNVERIFIED = "url_ownership_unverified"

_FULL_INBOX = "spam_risk_too_many_pending_share"

_BY_CODE = {
    "rate_limit_exceeded": _MEANINGS.throttled,
    "spam_risk_too_many_posts": (ErrorKind.CAPPED, "This account has reached TikTok's number of posts for one day."),
    "spam_risk_too_many_pending_share": (
        ErrorKind.CAPPED,
        "Too many drafts wait in this account's TikTok inbox. Finish or delete some in the app.",
    ),
    "reached_active_user_cap": (
        ErrorKind.CAPPED,
        "The TikTok app behind this service has reached its number of accounts for one day.",
    ),
    "internal_error": _SERVER,
    "server_error": _SERVER,
    "temporarily_unavailable": _SERVER,
    "access_token_invalid": _RECONNECT,
    "invalid_grant": _RECONNECT,
    "invalid_client": (
        ErrorKind.OPERATOR,
        "TikTok does not accept this service's client key and secret. Check the app's credentials.",
    ),
    "scope_not_authorized": _SCOPE,
    "scope_permission_missed": _SCOPE,
    "spam_risk_user_banned_from_posting": (
        ErrorKind.AUTH,
        "TikTok has banned this account from posting. Look into the TikTok app.",
    ),
    "privacy_level_option_mismatch": (
        ErrorKind.REJECTED,
        "This account does not offer the privacy level. Choose another privacyLevel.",
    ),
    ADDRESS_UNVERIFIED: (
        ErrorKind.OPERATOR,
        "TikTok fetches photos only from verified addresses. Verify this service's public URL in the app's settings.",
    ),
    NOT_AUDITED: (
        ErrorKind.OPERATOR,
        (
            "TikTok has not audited this service's app. Until then it takes posts with SELF_ONLY alone, and only for "
            "accounts that are set to private in the TikTok app. Ask TikTok for the audit."
        ),
    ),
    "app_version_check_failed": (ErrorKind.REJECTED, "The TikTok app on the account's phone is too old for this."),
}
"""Error codes; source: TikTok's pages of the Content Posting API, and of OAuth."""
_FAIL_REASONS = {
    "internal": _SERVER,
    "auth_removed": _RECONNECT,
    "file_format_check_failed": (
        ErrorKind.REJECTED,
        "TikTok does not take this file format. Use MP4, MOV or WebM; JPEG or WebP for photos.",
    ),
    "duration_check_failed": (ErrorKind.REJECTED, "The video is too short or too long for this TikTok account."),
    "frame_rate_check_failed": (ErrorKind.REJECTED, "TikTok takes videos of 23 to 60 frames per second."),
    "picture_size_check_failed": (ErrorKind.REJECTED, "The picture is too small or too large for TikTok."),
    "video_pull_failed": _PULL,
    "photo_pull_failed": _PULL,
    "spam_risk_text": (ErrorKind.REJECTED, "TikTok took the text for spam and refused it. Change it."),
    "spam_risk": _SPAM,
    "publish_cancelled": (ErrorKind.REJECTED, "The post was cancelled at TikTok."),
}
"""Reasons why a post failed that TikTok had accepted; source: TikTok's page of get-video-status, `fail_reason`."""
_INBOX_WAIT = timedelta(hours=1)
"""Drafts leave the inbox when the account's owner publishes or deletes them, not at a time set by TikTok."""
_WAITS = {ErrorKind.RATE_LIMITED: MINUTE, ErrorKind.CAPPED: DAILY_CAP_WAIT}
_STATUSES = {401: "access_token_invalid", 429: "rate_limit_exceeded"}


def _is_error(body: Body, _: int) -> bool:
    error = body.get("error")
    if not isinstance(error, dict) or body.get("data") or not ("data" in body or "log_id" in error):
        return False
    return body.keys() <= {"data", "error"} and error.keys() <= {"code", "message", "log_id"}


REFUSALS = Refusals(
    _is_error,
    codes("invalid_param", "invalid_params", *(name for name, meaning in _BY_CODE.items() if meaning is not _SERVER)),
)
"""Source: TikTok's page of error handling for the form; those of the posts' own requests for the codes, which they
answer instead of a publish_id."""


def read_error(response: httpx.Response) -> PlatformError:
    """Return the error of an error response of any status; TikTok's message is used only if its code is unknown."""
    body = json_object(response)
    error = body.get("error")
    if isinstance(error, str):  # OAuth's own shape
        error = {"code": error, "message": body.get("error_description"), "log_id": body.get("log_id")}
    error = error if isinstance(error, dict) else {}
    code = str(error.get("code") or _STATUSES.get(response.status_code) or f"http_{response.status_code}")
    return _error(code, str(error.get("message") or ""), response.status_code, error.get("log_id"))


def failed(reason: str) -> PlatformError:
    """Return the error that says why TikTok did not publish a post that it had accepted."""
    return _error(reason or "unexplained", "", None, None)


def _error(code: str, words: str, status: int | None, request_id: str | None) -> PlatformError:
    known = _BY_CODE.get(code) or _FAIL_REASONS.get(code)
    kind, sentence = known or _MEANINGS.by_status(status, words or code)
    wait = _INBOX_WAIT if code == _FULL_INBOX else _WAITS.get(kind)
    return PlatformError(kind, sentence, code=code, status=status, request_id=request_id, retry_after=wait)
