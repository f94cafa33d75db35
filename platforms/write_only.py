"""Publish where nobody can read back: a note of our own tells a crash before sending from one after it."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from platforms.base import Absent, PublishContext, Unknown
from platforms.errors import ErrorKind, PlatformError

SENDING = "sending"
"""Set in the handles once the files are here and the request goes out: before that, surely nothing was published."""


@asynccontextmanager
async def mark_sending(context: PublishContext[Any]) -> AsyncIterator[None]:
    """Note that what follows is sent, and take the note back where it surely had no effect."""
    context.handles[SENDING] = True
    await context.save(context.handles)
    try:
        yield
    except PlatformError as error:
        if error.kind is not ErrorKind.UNCONFIRMED:
            del context.handles[SENDING]
            await context.save(context.handles)
        raise


async def confirm_from_marker(context: PublishContext[Any]) -> Absent | Unknown:
    """Say of an attempt whose media were fetched as part of it whether it can be public at all."""
    if not context.draft.media or context.handles.get(SENDING):
        return Unknown(final=True)
    # Saved again, so that a run that was given up but still lives cannot begin to send any more.
    await context.save(context.handles)
    return Absent(never_sent=True)
