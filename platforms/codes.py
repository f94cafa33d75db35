"""The error codes of platform modules and steps, and the codes that clients get for them.

An error's `code` is either the platform's own or one of ours. Clients get the platform's own as `platformCode`. Of ours
they get those in `domain.codes`. The others are internal details.
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

from domain.codes import TargetCode, general_code, is_target_code
from domain.post import ErrorCategory, HoldReason

_OURS: dict[TargetCode, tuple[str, ...]] = {
    "app_refused": (
        "app_secret",
        "no_bot",
        "no_comments",
        "no_product",
        "no_product_documents",
        "no_product_documents_for_members",
        "no_product_documents_for_pages",
        "no_product_for_members",
        "no_product_for_pages",
        "no_product_images",
        "no_product_images_for_members",
        "no_product_images_for_pages",
        "no_product_videos",
        "no_product_videos_for_members",
        "no_product_videos_for_pages",
    ),
    "account_refused": (
        "account_locked",
        "another_account",
        "another_app",
        "chat_moved",
        "connection_expired",
        "lost_in_renewal",
        "no_guild",
        "no_location",
        "no_refresh_token",
        "no_role",
        "no_server",
        "no_webhook",
        "not_active",
        "not_its_server",
        "rights",
        "several_locations",
        "token_inactive",
        "token_invalid",
        "unknown_did",
    ),
    "answer_lost": ("edit_unconfirmed", "repeats_a_ghost", "rows_lost", "sending", "too_late", "unconfirmed_reply"),
    "duplicate_content": ("link_taken", "repeats_another"),
    "internal": (
        "held_up",
        "incomplete",
        "key_missing",
        "media_busy",
        "no_disk_space",
        "overtaken",
        "pause",
        "renewals_off",
        "renewing",
        "servers_busy",
        "token_renewed",
        "worker_stops",
    ),
    "invalid_settings": ("address_refused", "channel_type", "invalid_address", "mention_unknown"),
    "media_processing_failed": ("media_failed", "media_refused", "unexplained", "video_processing_failed"),
    "media_ratio": ("media_shapes_differ",),
    "media_too_large": ("files_too_large",),
    "platform_cap": ("quota",),
    "platform_processing": (
        "media_not_ready",
        "medium_forbidden",
        "no_post_id",
        "processing",
        "unknown_children",
        "video_in_progress",
        "video_processing",
    ),
    "platform_refused": ("kept_as_draft", "no_video_role", "rejected", "removed"),
    "unreadable_answer": ("fields_missing", "no_did", "no_id", "no_identity", "no_time"),
    "upload_lost": (
        "attachment_gone",
        "changed",
        "no_blob",
        "no_session",
        "no_upload",
        "no_video",
        "session_gone",
        "smaller_pieces",
        "upload_expired",
        "upload_offset",
    ),
}
_PUBLIC: dict[str, TargetCode] = {word: code for code, words in _OURS.items() for word in words}


class Codes(NamedTuple):
    """An error's code for a client, and the platform's own; either may be missing."""

    code: TargetCode | None
    platform_code: str | None


def known_codes(code: str | None) -> Codes:
    """Return an error's code as ours or as the platform's own."""
    if not code:
        return Codes(None, None)
    if is_target_code(code):
        return Codes(code, None)
    ours = _PUBLIC.get(code)
    return Codes(ours, None) if ours else Codes(None, code)


def public_codes(code: str | None, category: ErrorCategory, hold: HoldReason | None = None) -> Codes:
    """Return the codes of a failure. If only its platform has a code for it, the client gets that of its category."""
    codes = known_codes(code)
    return Codes(codes.code or general_code(category, hold), codes.platform_code)


def event_data(data: Mapping[str, Any]) -> Any:
    """Return what clients get of an event's data: the rows from which it was written hold platforms' own codes, too."""
    shown = dict(data)
    if code := data.get("errorCode"):
        category, hold = data.get("errorCategory"), data.get("holdReason")
        if category:
            shown["errorCode"] = public_codes(code, ErrorCategory(category), HoldReason(hold) if hold else None).code
        else:
            shown["errorCode"] = known_codes(code).code or "platform_refused"
    if isinstance(outcomes := data.get("platforms"), list):
        shown["platforms"] = [event_data(outcome) if isinstance(outcome, Mapping) else outcome for outcome in outcomes]
    return shown
