"""Thumbnails of uploads: a worker makes those that are due, one after the other."""

from media.thumbnails import ThumbnailMaker
from reconcile.rounds import BackgroundTask
from store.database import Database
from store.uploads.thumbnails import claim_thumbnail, is_thumbnail_due

_EVERY_S = 2.0
_RESTS_S = 3600.0
"""The pause without work: no post waits for a thumbnail."""


def thumbnail_task(database: Database, maker: ThumbnailMaker) -> BackgroundTask:
    """Return the task that makes what is due."""
    return BackgroundTask(
        lambda: make_thumbnails(database, maker),
        _EVERY_S,
        "thumbnails.postponed",
        looks_for="thumbnails",
        rests_s=_RESTS_S,
    )


async def make_thumbnails(database: Database, maker: ThumbnailMaker) -> None:
    """Begin an attempt for each thumbnail that is due."""
    while await is_thumbnail_due(database):
        # One at a time: an attempt that waits for others could outlast its claim.
        async with database.transaction() as session:
            claim = await claim_thumbnail(session)
        if claim is None:
            # Another worker has just begun with what was due.
            return
        await maker.make(claim)
