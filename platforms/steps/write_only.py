"""Publishing to platforms that cannot be read back: a marker says whether a crash came before or after sending."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from platforms.base import Absent, PublishContext, Unknown
from platforms.errors import ErrorKind, PlatformError

SENDING = "sending"
"""Set in the handles once the files are fetched and the request is sent. Before that, surely nothing was published."""


@asynccontextmanager
async def mark_sending(context: PublishContext[Any]) -> AsyncIterator[None]:
    """Set the marker for the request in this block; remove it if nothing was sent. A refusal may lie."""
    context.handles[SENDING] = True
    await context.save(context.handles)
    try:
        yield
    except PlatformError as error:
        if error.kind is not ErrorKind.UNCONFIRMED and error.status is None:
            del context.handles[SENDING]
            await context.save(context.handles)
        raise


async def confirm_from_marker(context: PublishContext[Any]) -> Absent | Unknown:
    """Return whether an attempt can have published the post, if its media are fetched as part of the attempt."""
    if not context.draft.media or context.handles.get(SENDING):
        return Unknown(final=True)
    # Saved again, so that a run that was abandoned but is still alive can no longer begin to send.
    await context.save(context.handles)
    return Absent(never_sent=True)
