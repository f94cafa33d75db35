"""The effect of a changed series on its posts: changed, deleted, or left alone because a person changed them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta

from sqlalchemy import func
from sqlalchemy.ext.asyncio import AsyncSession

from domain.audit import Actor
from domain.loop_share import LoopShare
from domain.post import PostStatus
from domain.recurrence.expansion import ChangedDay, Occurrence, Pattern, Segment, changed_days, expand
from domain.series import OccurrenceState, SeriesPattern, coming_from, content_digest
from store.models import OccurrenceEntry, Post, Series
from store.posts.changes import delete_many
from store.posts.contents import post_content, rewrite
from store.posts.queries import read_posts
from store.series.planning import CampaignTimes
from store.series.rows import list_entries

_END = "9999"
"""After every wall time."""
_AT_ONCE = 50
"""Posts that are deleted by one statement: some milliseconds of work in one piece."""


@dataclass(slots=True)
class SeriesChange:
    """The occurrences that a change of a series concerns, by their wall times, and the posts that follow from it."""

    added: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    kept_edited: list[str] = field(default_factory=list)
    """Those that a person has changed alone: they stay as they are."""
    untouched: list[str] = field(default_factory=list)
    """Those whose publishing has begun."""
    skipped: list[str] = field(default_factory=list)
    """Those that get no post, because their days have exceptions."""
    changed_days: list[ChangedDay] = field(default_factory=list)
    """The days with exceptions whose wall times the change of the rules changes."""
    changed_posts: list[tuple[str, datetime]] = field(default_factory=list)
    """Each with its due time."""
    deleted_posts: list[tuple[str, str, int]] = field(default_factory=list)
    """Each id with that of its workflow, and the version after its last."""


async def change_posts(
    session: AsyncSession,
    series: Series,
    before: Pattern[Segment],
    pattern: SeriesPattern,
    times: CampaignTimes,
    actor: Actor,
    now: datetime,
    *,
    override: bool,
) -> SeriesChange:
    """Let the posts of a locked series follow a new pattern; `override`: those too that a person has changed alone.

    Posts that are missing under the new pattern are made by `plan_series`.
    """
    change = SeriesChange()
    entries, posts = await _lock_coming(session, series, now)
    coming = _occurrences(pattern, entries, times)
    # Hundreds of posts with hundreds of targets each take too long for one piece of work.
    turn = LoopShare(heavy=True)
    following: list[tuple[Post, OccurrenceEntry]] = []
    for key, entry in entries.items():
        # A post that is gone was deleted by a person: its occurrence never gets another.
        post = posts.get(entry.post_id)
        if post is not None and post.occurrence == key:
            occurrence = coming.get(key)
            if _has_begun(post, now) or (occurrence is not None and occurrence.instant <= now):
                change.untouched.append(key)
            elif not override and _is_edited(post, entry):
                change.kept_edited.append(key)
            else:
                following.append((post, entry))
        await turn.pause()
    held = {wall.isoformat() for day in _changed_days(before, pattern, entries, posts, change)[1] for wall in day.held}
    removed: list[tuple[Post, OccurrenceEntry]] = []
    for post, entry in following:
        key = entry.occurrence
        if key in coming and key not in held:
            _change_post(change, post, entry, pattern, coming[key], actor, now)
        else:
            removed.append((post, entry))
        await turn.pause()
    await _delete(session, change, removed, actor, now)
    await _hold_days(session, series, before, pattern, entries, posts, change)
    return change


async def _hold_days(
    session: AsyncSession,
    series: Series,
    before: Pattern[Segment],
    after: SeriesPattern,
    entries: Mapping[str, OccurrenceEntry],
    posts: Mapping[str, Post],
    change: SeriesChange,
) -> None:
    """Keep days with exceptions from getting posts that only the new pattern has.

    An occurrence that gets none has an entry with the post of the exception, which was made for another wall time.
    """
    exceptions, change.changed_days = _changed_days(before, after, entries, posts, change)
    for key, entry in entries.items():
        post = posts.get(entry.post_id)
        if datetime.fromisoformat(key) not in exceptions and post is not None and post.occurrence != key:
            await _release(session, entry)
    for day in change.changed_days:
        for wall, exception in day.held.items():
            if exception in exceptions and wall not in exceptions:
                await _hold(session, series, wall.isoformat(), exceptions[exception])
                change.skipped.append(wall.isoformat())
        for wall in set(day.before).intersection(exceptions).difference(day.after, day.taken):
            if exceptions[wall].generation == 0:
                await _release(session, exceptions[wall])


def _changed_days(
    before: Pattern[Segment],
    after: SeriesPattern,
    entries: Mapping[str, OccurrenceEntry],
    posts: Mapping[str, Post],
    change: SeriesChange,
) -> tuple[dict[datetime, OccurrenceEntry], list[ChangedDay]]:
    """Return the entries of exceptions, by wall time, and their days whose wall times change."""
    begun, edited = set(change.untouched), set(change.kept_edited)
    exceptions = dict[datetime, OccurrenceEntry]()
    for key, entry in entries.items():
        post = posts.get(entry.post_id)
        if post is None or post.occurrence in begun | edited:
            exceptions[datetime.fromisoformat(key)] = entry
    taken = {wall for wall in exceptions if wall.isoformat() in begun}
    own = {wall for wall in exceptions if wall.isoformat() in edited}
    return exceptions, list(changed_days(before, after, exceptions.keys() - taken, taken, edited=own))


async def _hold(session: AsyncSession, series: Series, key: str, exception: OccurrenceEntry) -> None:
    """Let an occurrence have no post of its own, as the exception whose place it takes."""
    entry = await session.get(OccurrenceEntry, (series.id, key))
    if entry is None:
        entry = OccurrenceEntry(series_id=series.id, occurrence=key, variation=exception.variation, generation=0)
        session.add(entry)
    entry.state, entry.post_id = OccurrenceState.MADE.value, exception.post_id
    entry.content_sha256, entry.made_at = exception.content_sha256, exception.made_at


async def _release(session: AsyncSession, entry: OccurrenceEntry) -> None:
    """Let an occurrence that had no post of its own get one."""
    if entry.generation:
        entry.state = OccurrenceState.WITHDRAWN.value
    else:
        await session.delete(entry)


async def delete_posts(session: AsyncSession, series: Series, actor: Actor, now: datetime) -> SeriesChange:
    """Delete the posts of a locked series whose publishing has not begun."""
    change = SeriesChange()
    entries, posts = await _lock_coming(session, series, now)
    await _delete(session, change, [(post, entries[post.occurrence or ""]) for post in posts.values()], actor, now)
    return change


async def count_unsent(session: AsyncSession, series: Series, now: datetime) -> int:
    """Return how many posts of a locked series have not begun."""
    _, posts = await _lock_coming(session, series, now)
    return sum(not _has_begun(post, now) for post in posts.values())


async def _lock_coming(
    session: AsyncSession, series: Series, now: datetime
) -> tuple[dict[str, OccurrenceEntry], dict[str, Post]]:
    """Return the entries of the occurrences that come, by wall time, and their posts, which are locked, by id."""
    # From the beginning of the day: a post of today that has begun keeps the day from getting another.
    first = datetime.combine(coming_from(now).date(), time())
    entries = await list_entries(session, series.id, first.isoformat(), _END)
    coming = {key: entry for key, entry in entries.items() if entry.state == OccurrenceState.MADE}
    post_ids = [entry.post_id for entry in coming.values()]
    return coming, await read_posts(session, Post.id.in_(post_ids), lock=True)


def _occurrences(
    pattern: SeriesPattern, entries: Mapping[str, OccurrenceEntry], times: CampaignTimes
) -> dict[str, Occurrence]:
    """Return the occurrences of a pattern among the wall times of a ledger, which may be years apart."""
    if not entries:
        return {}
    first, last = datetime.fromisoformat(min(entries)), datetime.fromisoformat(max(entries))
    # A clock change may move an occurrence to the instant of one of a later day.
    days = {datetime.fromisoformat(key).date() - timedelta(days=before) for key in entries for before in range(3)}
    return {
        occurrence.key: occurrence
        for occurrence in expand(pattern, first, last + timedelta(seconds=1), lambda day: day not in days)
        if occurrence.skip is None and not times.closed.cover(occurrence.instant)
    }


def _has_begun(post: Post, now: datetime) -> bool:
    """Return whether it is too late to change a post. A draft whose time is past was skipped by a pause."""
    due = post.scheduled_for is not None and post.scheduled_for <= now
    return due or post.status not in {PostStatus.SCHEDULED, PostStatus.DRAFT}


def _is_edited(post: Post, entry: OccurrenceEntry) -> bool:
    return post.status == PostStatus.DRAFT or content_digest(post_content(post)) != entry.content_sha256


def _change_post(
    change: SeriesChange,
    post: Post,
    entry: OccurrenceEntry,
    pattern: SeriesPattern,
    occurrence: Occurrence,
    actor: Actor,
    now: datetime,
) -> None:
    """Let a locked post follow a new pattern."""
    content, new_content = (
        post_content(post),
        pattern.segment_at(occurrence.wall).content_at(occurrence, entry.variation),
    )
    # A post may have left the campaign, or the campaign may be gone.
    new_content.campaign_id = content.campaign_id
    if new_content == content and post.status == PostStatus.SCHEDULED:
        return
    rewrite(post, new_content, actor, status=PostStatus.SCHEDULED, due_at=occurrence.instant, now=now)
    post.delivery_attempts, post.next_delivery_at = 0, func.bulk_delivery_at_v1(occurrence.instant)
    entry.content_sha256 = content_digest(new_content)
    change.changed.append(entry.occurrence)
    change.changed_posts.append((post.id, occurrence.instant))


async def _delete(
    session: AsyncSession,
    change: SeriesChange,
    posts: Sequence[tuple[Post, OccurrenceEntry]],
    actor: Actor,
    now: datetime,
) -> None:
    for begin in range(0, len(posts), _AT_ONCE):
        batch = posts[begin : begin + _AT_ONCE]
        names = {post.id: (post.id, post.workflow_id, post.version + 1) for post, _ in batch}
        deleted = await delete_many(session, [post for post, _ in batch if not _has_begun(post, now)], actor)
        for (post_id, name), (_, entry) in zip(names.items(), batch, strict=True):
            if post_id not in deleted:
                change.untouched.append(entry.occurrence)
                continue
            entry.state = OccurrenceState.WITHDRAWN.value
            change.removed.append(entry.occurrence)
            change.deleted_posts.append(name)
