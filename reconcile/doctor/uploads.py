"""The examination of the storage of uploads: files that no row knows. They are named, and never deleted."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

from reconcile.doctor.findings import Finding, FindingKind, FixedBy, Subject
from storage.base import ObjectStat, Storage, StorageError, object_path
from store.database import Database
from store.uploads.keeping import known_keys, read_marker

_OLD = timedelta(days=1)
"""The age from which a file without a row is reported: an upload that has begun takes less."""
_BATCH = 1_000
_MOST = 1_000
"""Files without a row that are looked for; more of them have the same cause."""


async def diagnose_uploads(database: Database, storage: Storage) -> list[Finding]:
    """Return one finding if files of the storage belong to no upload. Raises StorageError.

    An empty mount point is no storage without orphans: the marker that the database names must be there.
    """
    async with database.reading() as session:
        marker = await read_marker(session)
    if marker and not await storage.has(marker):
        raise StorageError(f"it has no {object_path(marker)}, which the database names")
    suspects, batch = list[ObjectStat](), list[ObjectStat]()
    before = datetime.now(UTC) - _OLD
    async for stat in storage.objects():
        if stat.modified_at < before:
            batch.append(stat)
        if len(batch) == _BATCH:
            suspects += await _unknown(database, batch)
            batch = []
        if len(suspects) > _MOST:
            break
    suspects += await _unknown(database, batch)
    # A worker may have deleted row and file meanwhile.
    orphans = [stat for stat in suspects[:_MOST] if await storage.stat(stat.key)]
    return [_orphaned(orphans, more=len(suspects) > _MOST)] if orphans else []


async def _unknown(database: Database, stats: Sequence[ObjectStat]) -> list[ObjectStat]:
    async with database.reading() as session:
        known = await known_keys(session, [stat.key for stat in stats])
    return [stat for stat in stats if stat.key not in known]


def _orphaned(orphans: Sequence[ObjectStat], *, more: bool) -> Finding:
    megabytes = sum(stat.size for stat in orphans) / 10**6
    number = f"{'More than ' if more else ''}{len(orphans):,} {'file' if len(orphans) == 1 else 'files'}"
    what = (
        f"{number} of the storage ({megabytes:,.1f} MB) belong to no upload; the oldest is "
        f"{min(orphans, key=lambda stat: stat.modified_at).key}."
    )
    how = (
        "After a restore of the database, posts may name files that it has forgotten: restore a newer copy, or upload "
        "them again. If nothing misses them, delete them from the storage by hand; no process does."
    )
    return Finding(FindingKind.ORPHANED_FILES, FixedBy.PERSON, Subject(workflow_id="uploads"), what, how)
