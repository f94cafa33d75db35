"""Our own sentences for why a target waits or has failed, for places in which a platform's text may not appear."""

from domain.codes import TargetCode, is_target_code
from domain.post import ErrorCategory

_OF_CODE: dict[TargetCode, str] = {
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

_OF_CATEGORY = {
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
        return _OF_CODE[code]
    return _OF_CATEGORY[category] if category else None
