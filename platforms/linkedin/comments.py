"""Add the comment that follows a post, once: one whose answer was lost is left and told of, never repeated."""

from dataclasses import replace
from urllib.parse import quote

from platforms.base import Published, Sending
from platforms.errors import Kind, NetworkError
from platforms.linkedin.line import Line, call
from platforms.linkedin.settings import LinkedInSettings

FIRST_COMMENT = "firstComment"
"""Where the handles tell what became of the comment: sending, sent or failed."""
_AGAIN = frozenset({Kind.TRANSIENT, Kind.RATE_LIMITED, Kind.NOT_READY})


async def add_first_comment(
    line: Line, sending: Sending[LinkedInSettings], author: str, published: Published
) -> Published:
    """Return the post, with a warning where its comment is not surely there. Raises NetworkError to be called again."""
    text, handles = sending.draft.settings.first_comment, sending.handles
    if not text or handles.get(FIRST_COMMENT) == "sent":
        return published
    if handles.get(FIRST_COMMENT) == "sending":
        warning = "LinkedIn's answer to the first comment was lost. Look whether it is there."
        return replace(published, warning=warning)
    urn = published.platform_post_id
    body = {"actor": author, "object": urn, "message": {"text": text}}
    await _note(sending, "sending")
    try:
        await call(line, "POST", f"/rest/socialActions/{quote(urn, safe='')}/comments", public=True, json=body)
    except NetworkError as error:
        if error.kind is Kind.UNCLEAR:
            return await add_first_comment(line, sending, author, published)
        await _note(sending, "failed")
        if error.kind in _AGAIN:
            raise
        return replace(published, warning=f"The first comment was not added: {error.message}")
    await _note(sending, "sent")
    return published


async def _note(sending: Sending[LinkedInSettings], state: str) -> None:
    sending.handles[FIRST_COMMENT] = state
    await sending.save(sending.handles)
