"""The codes of errors for clients, and our own sentences for them.

`docs/errors.md` has the cause and the remedy of each, as a test checks.
"""

from typing import Literal, TypeGuard, get_args

from domain.post import ErrorCategory, HoldReason

ProblemCode = Literal[
    "account_in_another_queue",
    "account_not_found",
    "account_refused",
    "address_too_long",
    "ambiguous_queue",
    "app_refused",
    "authorization_declined",
    "authorization_pending",
    "campaign_ended",
    "campaign_has_unsent_posts",
    "campaign_not_found",
    "campaign_not_started",
    "chain_circle",
    "chain_too_long",
    "changed_since_import",
    "code_rejected",
    "conflict",
    "connection_ends",
    "connection_expired",
    "credentials_rejected",
    "cursor_expired",
    "deleted_since_import",
    "different_account",
    "duplicate_content",
    "duplicate_target",
    "edit_limit_reached",
    "edit_not_supported",
    "edit_refused",
    "edit_window_closed",
    "exception_not_carried",
    "external_id_taken",
    "headers_too_large",
    "idempotency_key_reused",
    "in_blackout",
    "insufficient_scope",
    "internal_error",
    "invalid_credentials",
    "invalid_csv",
    "invalid_field_value",
    "invalid_json",
    "invalid_request",
    "media_gone",
    "media_in_use",
    "media_not_checked",
    "media_not_public",
    "media_not_uploaded",
    "media_refused",
    "media_rejected",
    "method_not_allowed",
    "missing_required_field",
    "moved_by_clock_change",
    "no_accounts",
    "no_occurrence",
    "not_found",
    "nothing_to_retry",
    "outside_window",
    "over_daily_cap",
    "paused",
    "payload_too_large",
    "permission_missing",
    "place_not_allowed",
    "platform_cap",
    "platform_caution",
    "platform_not_configured",
    "post_not_found",
    "post_too_large",
    "posts_in_blackout",
    "posts_outside_window",
    "premium_required",
    "queue_full",
    "queue_not_found",
    "rate_limited",
    "request_timeout",
    "retry_limit_reached",
    "row_before_unknown",
    "scheduled_time_passed",
    "series_has_unsent_posts",
    "server_forbidden",
    "storage_quota_exceeded",
    "text_only",
    "too_close",
    "too_many_accounts",
    "too_many_bytes",
    "too_many_campaigns",
    "too_many_keys",
    "too_many_open_posts",
    "too_many_posts",
    "too_many_queues",
    "too_many_series",
    "too_many_uploads",
    "too_many_views",
    "too_many_webhooks",
    "unavailable",
    "unknown_host",
    "unknown_parameter",
    "unsupported_media_type",
    "unsupported_recurrence",
    "upload_differs",
    "uploads_not_configured",
]
"""The values of `code` in answers that refuse a request, and in the findings of a validation."""

TargetCode = Literal[
    "account_not_connected",
    "account_refused",
    "answer_lost",
    "answer_too_large",
    "app_refused",
    "campaign_ended",
    "cancelled",
    "connection_lost",
    "decoder_unavailable",
    "duplicate_content",
    "edit_limit_reached",
    "edit_not_supported",
    "edit_window_closed",
    "internal",
    "invalid_field_value",
    "invalid_settings",
    "media_address_forbidden",
    "media_dimensions",
    "media_empty",
    "media_gone",
    "media_invalid",
    "media_is_html",
    "media_not_public",
    "media_not_uploaded",
    "media_processing_failed",
    "media_ratio",
    "media_timeout",
    "media_too_large",
    "media_too_long",
    "media_too_short",
    "media_too_small",
    "media_truncated",
    "media_type",
    "media_type_mismatch",
    "media_unavailable",
    "media_unreachable",
    "media_unsupported",
    "missing_required_field",
    "no_public_url",
    "not_published",
    "paused",
    "place_not_allowed",
    "platform_cap",
    "platform_failed",
    "platform_processing",
    "platform_refused",
    "publish_window_passed",
    "rate_limited",
    "server_forbidden",
    "skipped",
    "storage_unavailable",
    "text_only",
    "timed_out",
    "too_many_media",
    "unreachable",
    "unreadable_answer",
    "upload_lost",
    "worker_lost",
]
"""The values of `errorCode` of a target and of an attempt."""

UploadErrorCode = Literal[
    "media_address_forbidden",
    "media_empty",
    "media_is_html",
    "media_not_public",
    "media_rejected",
    "media_timeout",
    "media_too_large",
    "media_truncated",
    "media_unavailable",
    "media_unreachable",
    "media_unsupported",
    "storage_quota_exceeded",
    "storage_unavailable",
]
"""The values of `errorCode` of an upload: why its file is not there."""

CANCELLED: TargetCode = "cancelled"
"""The code of a target that an operator has cancelled before it was published."""

PAUSED: TargetCode = "paused"
"""The code of a target that is held until a pause ends, and of a request that would publish during one."""
CAMPAIGN_ENDED: TargetCode = "campaign_ended"
"""The code of a target that its campaign's end has stopped, because its post is partly public or under way."""
SKIPPED: TargetCode = "skipped"
"""The code of a target that a person has skipped at the end of a pause, because its post is partly public."""

PROBLEM_CODES = frozenset(get_args(ProblemCode))
TARGET_CODES = frozenset(get_args(TargetCode))

_OF_CATEGORY: dict[ErrorCategory, TargetCode] = {
    ErrorCategory.AUTH: "account_refused",
    ErrorCategory.REJECTED: "platform_refused",
    ErrorCategory.RATE_LIMITED: "rate_limited",
    ErrorCategory.PLATFORM: "platform_failed",
    ErrorCategory.UNCONFIRMED: "answer_lost",
    ErrorCategory.INTERNAL: "internal",
}
_OF_HOLD: dict[HoldReason, TargetCode] = {
    HoldReason.RECONNECT: "account_refused",
    HoldReason.CAP: "platform_cap",
    HoldReason.OPERATOR: "app_refused",
    HoldReason.PAUSED: "paused",
}


def is_problem_code(code: str | None) -> TypeGuard[ProblemCode]:
    """Return whether a code may stand in an answer that refuses a request."""
    return code in PROBLEM_CODES


def is_target_code(code: str | None) -> TypeGuard[TargetCode]:
    """Return whether a code may stand in a target's `errorCode`."""
    return code in TARGET_CODES


def general_code(category: ErrorCategory, hold: HoldReason | None = None) -> TargetCode:
    """Return the code of a failure that has no more exact one: a platform's own code is not one of ours."""
    return _OF_HOLD[hold] if hold is not None else _OF_CATEGORY[category]


_REASON_OF_CODE: dict[TargetCode, str] = {
    "account_not_connected": "the account is not connected",
    "account_refused": "the platform refuses the account",
    "answer_lost": "the platform's answer was lost",
    "answer_too_large": "the platform's answer is larger than is read",
    "app_refused": "the platform refuses this service's app",
    "cancelled": "an operator cancelled it",
    "connection_lost": "the connection to the platform broke",
    "decoder_unavailable": "this service cannot decode files at the moment",
    "duplicate_content": "the platform says that the account has published the same before",
    "edit_limit_reached": "the platform allows no more edits",
    "edit_not_supported": "the platform does not let it be edited",
    "edit_window_closed": "the time for edits is over",
    "internal": "this service failed",
    "invalid_field_value": "the post breaks a rule of the platform",
    "invalid_settings": "the platform does not take the settings",
    "media_address_forbidden": "the address of a file is not public",
    "media_dimensions": "a file is too small or too large in pixels",
    "media_empty": "a file is empty",
    "media_gone": "an upload was deleted",
    "media_invalid": "a file is damaged",
    "media_is_html": "the address of a file leads to a web page",
    "media_not_public": "the platform cannot reach a file at its address",
    "media_not_uploaded": "a file was never uploaded",
    "media_processing_failed": "the platform could not process a file",
    "media_ratio": "a picture is too wide or too high",
    "media_timeout": "the server of a file was too slow",
    "media_too_large": "a file is too large",
    "media_too_long": "a video is too long",
    "media_too_short": "a video is too short",
    "media_too_small": "a file has too few bytes",
    "media_truncated": "the server of a file broke off",
    "media_type": "the platform does not take a file's type",
    "media_type_mismatch": "a file is not of the type that was named",
    "media_unavailable": "the server of a file failed",
    "media_unreachable": "a file cannot be fetched",
    "media_unsupported": "files of a type are not taken",
    "missing_required_field": "the post lacks what the platform requires",
    "no_public_url": "the platform must fetch files here, and SOCIALSYNCER_PUBLIC_URL is not set",
    "not_published": "a person looked and did not find it published",
    "paused": "a person has paused publishing",
    "place_not_allowed": "a setting names a place that the account may not publish to",
    "platform_cap": "the account has published as much as the platform allows",
    "platform_failed": "the platform failed",
    "platform_processing": "the platform is still working on it",
    "platform_refused": "the platform refuses the content or its settings",
    "publish_window_passed": "it could not be published within its time",
    "rate_limited": "the platform asks to wait",
    "server_forbidden": "the account's server has an address that is not called",
    "campaign_ended": "its campaign has ended",
    "skipped": "it fell due during a pause and was skipped",
    "storage_unavailable": "the store of uploads cannot be read",
    "text_only": "a post with a poll or a quote cannot be edited",
    "timed_out": "the platform did not answer in time",
    "too_many_media": "the workspace has too many converted images",
    "unreachable": "the platform could not be reached",
    "unreadable_answer": "the platform's answer cannot be read",
    "upload_lost": "the platform has lost an upload",
    "worker_lost": "a worker ended while it sent the post",
}

_REASON_OF_CATEGORY = {
    ErrorCategory.AUTH: "the platform refuses the account",
    ErrorCategory.REJECTED: "the platform refuses the content or its settings",
    ErrorCategory.RATE_LIMITED: "the platform asks to wait",
    ErrorCategory.PLATFORM: "the platform failed",
    ErrorCategory.UNCONFIRMED: "the platform's answer was lost",
    ErrorCategory.INTERNAL: "this service failed",
}


def reason(code: str | None, category: ErrorCategory | None) -> str | None:
    """Return the meaning of our code, or of the category of a platform's own code; None if neither is known."""
    if is_target_code(code):
        return _REASON_OF_CODE[code]
    return _REASON_OF_CATEGORY[category] if category else None
