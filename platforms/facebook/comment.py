"""Add the first comment below a published post, once: its answer lost, it is left to a person and never repeated."""

from platforms.base import Sending
from platforms.errors import Kind, NetworkError
from platforms.facebook import line
from platforms.facebook.line import Line
from platforms.facebook.settings import FacebookSettings

HANDLE = "firstComment"
_UNSURE = "It is not known whether Facebook added the first comment. Look at the post."
_TRIED_AGAIN = {Kind.TRANSIENT, Kind.RATE_LIMITED, Kind.NOT_READY}


async def add_first_comment(connection: Line, sending: Sending[FacebookSettings], post_id: str) -> str | None:
    """Return a warning where the comment is not surely there.

    Raises NetworkError of a kind that is tried again where surely nothing happened yet.
    """
    text = sending.draft.settings.first_comment
    if not text or sending.draft.settings.draft:
        return None
    known = sending.handles.get(HANDLE)
    if known is None:
        known = await _note(sending, {"state": "sending"})
        known = await _note(sending, await _add(connection, sending, post_id, text))
    if known["state"] == "sending":
        return _UNSURE
    return f"The first comment was not added: {known['error']}" if known["state"] == "failed" else None


async def _add(connection: Line, sending: Sending[FacebookSettings], post_id: str, text: str) -> dict[str, str]:
    try:
        answer = await line.post_public(connection, f"/{post_id}/comments", {"message": text})
    except NetworkError as error:
        if error.kind in _TRIED_AGAIN:
            del sending.handles[HANDLE]
            await sending.save(sending.handles)
            raise
        state = "sending" if error.kind is Kind.UNCLEAR else "failed"
        return {"state": state, "error": error.message}
    return {"state": "sent", "id": str(answer.get("id", ""))}


async def _note(sending: Sending[FacebookSettings], state: dict[str, str]) -> dict[str, str]:
    sending.handles[HANDLE] = state
    await sending.save(sending.handles)
    return state
