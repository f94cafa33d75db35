"""The request body that makes a status on a Mastodon server."""

from typing import Any

from platforms.base import Draft
from platforms.mastodon.limits import DEFAULTS, ServerLimits
from platforms.mastodon.settings import MastodonSettings


def status_body(draft: Draft[MastodonSettings], uploads: list[str], limits: ServerLimits = DEFAULTS) -> dict[str, Any]:
    """Return the body of the request that makes the status; source: docs.joinmastodon.org/methods/statuses."""
    settings = draft.settings
    body: dict[str, Any] = {"status": draft.text}
    if uploads:
        body["media_ids"] = uploads
    if settings.poll:
        body["poll"] = settings.poll.model_dump()
    chosen = settings.model_dump(exclude={"poll"}, exclude_none=True)
    if limits.is_of_pleroma:
        chosen |= _pleroma_fields(settings)
    return body | chosen


def depends_on_server(settings: MastodonSettings) -> bool:
    """Return whether the body depends on the server."""
    return settings.quoted_status_id is not None or "-" in (settings.language or "")


def _pleroma_fields(settings: MastodonSettings) -> dict[str, str]:
    """Return the parameters that differ for Pleroma and Akkoma; source: Akkoma's own code.

    Both name a quoted status by `quote_id`. Akkoma refuses a language of more than two letters.
    """
    fields = {"quote_id": settings.quoted_status_id} if settings.quoted_status_id else {}
    return fields | ({"language": settings.language.partition("-")[0]} if settings.language else {})
