"""The examination of series: whether each has the posts that it should have, at the times that it says."""

from domain.schedule import rfc3339
from reconcile.doctor.findings import Finding, FindingKind, FixedBy, Subject
from store.database import Database
from store.maintenance.series import (
    BehindSeries,
    MissingOccurrence,
    MovedPost,
    behind_series,
    lost_occurrences,
    moved_posts,
    unmade_occurrences,
)
from store.rows import database_now


async def diagnose_series(database: Database, workspace_id: str | None) -> list[Finding]:
    """Return what is wrong with series. No two posts can have one occurrence: an index refuses the second."""
    async with database.reading() as session:
        now = await database_now(session)
        behind = await behind_series(session, now, workspace_id)
        lost = await lost_occurrences(session, now, workspace_id)
        unmade = await unmade_occurrences(session, now, workspace_id)
        moved = await moved_posts(session, workspace_id)
    return [*map(_behind, behind), *map(_lost, lost), *map(_unmade, unmade), *map(_moved, moved)]


def _behind(series: BehindSeries) -> Finding:
    what = f"The series {series.id} lacks posts since {rfc3339(series.since)}."
    how = (
        "No worker looks at it: start one (`python worker.py`), or see why its planner stands (`planner.postponed`)."
        if series.is_waiting
        else "Its workspace has no room for more posts, or `series.not_planned` in a worker's log says why."
    )
    return Finding(FindingKind.SERIES_BEHIND, FixedBy.PERSON, _subject(series.workspace_id, series.id), what, how)


def _lost(missing: MissingOccurrence) -> Finding:
    what = f"The post of {missing.occurrence} of the series {missing.series_id} is gone, and no one has deleted it."
    how = "Create it by POST /v1/posts if it should still be published: the series makes no second one."
    subject = Subject(missing.post_id, missing.workspace_id, f"{missing.series_id}/{missing.occurrence}")
    return Finding(FindingKind.OCCURRENCE_MISSING, FixedBy.PERSON, subject, what, how)


def _unmade(missing: MissingOccurrence) -> Finding:
    what = f"The series {missing.series_id} has no post for {missing.occurrence}, which its rule has."
    how = "By itself: the planner looks at each series every hour."
    subject = _subject(missing.workspace_id, f"{missing.series_id}/{missing.occurrence}")
    return Finding(FindingKind.OCCURRENCE_MISSING, FixedBy.SYSTEM, subject, what, how)


def _moved(post: MovedPost) -> Finding:
    what = f"The post is due at {rfc3339(post.instant)}, which is not {post.wall} in {post.zone} any more."
    how = "By itself: a worker compares wall times with its time zone data every hour. Both must have the same version."
    subject = Subject(post.post_id, post.workspace_id, post.workflow_id)
    return Finding(FindingKind.WALL_DIFFERS, FixedBy.SYSTEM, subject, what, how)


def _subject(workspace_id: str, name: str) -> Subject:
    return Subject(workspace_id=workspace_id, workflow_id=name)
