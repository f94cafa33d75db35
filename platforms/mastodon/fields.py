"""What a Mastodon server is told of a status."""

from typing import Any

from platforms.base import Draft
from platforms.mastodon.settings import MastodonSettings


def status_body(draft: Draft[MastodonSettings], uploads: list[str]) -> dict[str, Any]:
    """Return the body of the request that makes the status; source: docs.joinmastodon.org/methods/statuses."""
    settings = draft.settings
    body: dict[str, Any] = {"status": draft.text}
    if uploads:
        body["media_ids"] = uploads
    if settings.poll:
        body["poll"] = settings.poll.model_dump()
    chosen = settings.model_dump(exclude={"poll"}, exclude_none=True)
    return body | chosen
