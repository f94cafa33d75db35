"""Creation, change and deletion of series, each in one transaction under the lock of its row."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.http.body import JsonObject, body_size
from api.http.body_validation import read_valid
from api.http.moments import now_ms
from api.posts.answers.rendering import Answer, answer_view
from api.posts.once import complete, once, take_key
from api.posts.times import UNKNOWN_CAMPAIGN, campaign_refusal
from api.series.bodies import PatchSeriesBody, RulesBody, SeriesBody
from api.series.reading import (
    change_warnings,
    check_recurrence,
    exclusion_warnings,
    read_content,
    read_exclusions,
    read_recurrence,
    read_start,
    read_wall,
    read_walls,
    require_occurrence,
    require_room,
    wall_now,
)
from domain.audit import Actor
from domain.campaigns import CampaignRules, OperationKind
from domain.content import answer_bytes
from domain.errors import Conflict, NotFound, Problem, TooManyRequests, Unprocessable
from domain.ids import is_campaign_id, is_series_id, new_id
from domain.ownership import BULK_LEAD
from domain.pauses import MissedPolicy, series_gate
from domain.post import PostStatus
from domain.recurrence.expansion import FARTHEST, ChangedDay, Pattern, Segment, carry_exclusions, changed_days
from domain.series import (
    MOST_SERIES,
    SeriesContent,
    SeriesPattern,
    SeriesSegment,
    coming_from,
    coming_occurrences,
    occurrences_ahead,
)
from store.campaigns.campaigns import read_campaign_rules
from store.campaigns.operations import record_operation
from store.models import Series
from store.pauses.pauses import end_pause, find_pause_under_way
from store.posts.idempotency import KeyedRequest
from store.rows import count_rows, find_row, lock, lock_row
from store.series.editing import SeriesChange, change_posts, count_unsent, delete_posts
from store.series.planning import PlannedPosts, missing_occurrences, plan_series, read_campaign_times
from store.series.rows import series_pattern, series_rules, write_pattern

_ATTEMPTS = 3
"""How often a change is computed again because another was made meanwhile."""
_TOO_MANY = Problem(f"This workspace may have {MOST_SERIES:,} series: delete one first", "too_many_series")
_UNKNOWN = Problem("This workspace has no such series", "not_found")
_MEANWHILE = Problem("Other requests change the series; please try again", "conflict")
_PAUSED = Problem("The series is paused: resume it, or delete its posts, too", "paused", "posts")


@dataclass(frozen=True, slots=True)
class SeriesRequests:
    """The requests that change series of a workspace, and their author."""

    deps: Dependencies
    workspace_id: str
    actor: Actor

    async def create(self, payload: JsonObject, request: KeyedRequest | None) -> tuple[str, bool]:
        """Create a series with its first posts, once for a key.

        Returns its id, and whether an earlier request has created it. Raises InvalidRequest, Unprocessable, Conflict,
        IdempotencyKeyReused, TooManyRequests.
        """
        answer = await once(self.deps, request, "", partial(self._create, payload, request), is_costly=True)
        return json.loads(answer.body)["id"], answer.replayed

    async def _create(self, payload: JsonObject, request: KeyedRequest | None) -> Answer:
        deps, workspace_id, now = self.deps, self.workspace_id, now_ms()
        body = read_valid(SeriesBody, payload)
        campaign = await self._campaign(body.campaign_id, now)
        rules = read_rules(body, now)
        first = next(coming_occurrences(rules, now))
        variations: list[JsonObject] = payload.get("variations") or []
        content = await read_content(
            deps,
            workspace_id,
            payload["post"],
            variations,
            first.instant,
            campaign.id if campaign else None,
            body_size(payload),
            now,
        )
        pattern = _with_content(rules, content)
        require_room(pattern)
        number = sum(1 for _ in occurrences_ahead(rules, now))
        await deps.usage.count_posts(workspace_id, number, number * answer_bytes(content.contents[0]))
        series = Series(
            id=new_id("ser"),
            workspace_id=workspace_id,
            campaign_id=campaign.id if campaign else None,
            name=body.name,
            version=1,
            posts_made=0,
            is_finished=False,
            plan_at=now,
            created_by=self.actor.id,
            created_at=now,
            updated_at=now,
        )
        write_pattern(series, pattern)
        async with deps.database.transaction() as session:
            await take_key(session, request, series.id)
            # One request of a workspace at a time, so that none exceeds the limit.
            await lock(session, f"series.{workspace_id}")
            if await count_rows(session, Series.workspace_id == workspace_id) >= MOST_SERIES:
                raise TooManyRequests(_TOO_MANY, retry_after=60)
            session.add(series)
            await session.flush()
            planned = await plan_series(session, series, now)
            operation_id = await self._record(session, OperationKind.CREATED, series, {"posts": len(planned.posts)})
            answer = await complete(session, request, answer_view({"id": series.id}), operation_id)
        self._deliver(planned, SeriesChange(), now)
        return answer

    async def _record(
        self, session: AsyncSession, kind: OperationKind, series: Series, result: Mapping[str, int]
    ) -> str:
        return await record_operation(session, self.workspace_id, kind, self.actor, result, series_id=series.id)

    async def change(
        self, series_id: str, payload: JsonObject
    ) -> tuple[SeriesChange, Sequence[Problem], PatchSeriesBody]:
        """Change a series and the posts that follow it; with `dryRun`, only compute what would change.

        Returns what changes, warnings, and the body. Raises NotFound, InvalidRequest, Unprocessable, Conflict.
        """
        body = read_valid(PatchSeriesBody, payload)
        for _ in range(_ATTEMPTS):
            async with self.deps.database.reading() as session:
                series = await require_series(session, self.workspace_id, series_id)
            now = now_ms()
            pattern, days = await self._changed(series, body, payload, now)
            number = sum(1 for _ in occurrences_ahead(pattern, now))
            self.deps.usage.count_bytes(
                self.workspace_id, number * answer_bytes(pattern.segments[-1].content.contents[0])
            )
            # Computed without the lock, which it would hold for long: it is of use only if no one changed it since.
            changed = await self._apply(series, body, pattern, now)
            if changed is not None:
                skipped = {*changed.skipped, *(wall.isoformat() for day in days for wall in day.held)}
                # A post that a person edited stays at its time, whatever else is left out on its day.
                changed.skipped = sorted(skipped.difference(changed.kept_edited, changed.untouched))
                warnings = (*exclusion_warnings(pattern, now), *change_warnings([*days, *changed.changed_days]))
                return changed, warnings, body
        raise Conflict(_MEANWHILE)

    async def _apply(
        self, known: Series, body: PatchSeriesBody, pattern: SeriesPattern, now: datetime
    ) -> SeriesChange | None:
        async with self.deps.database.transaction() as session:
            series = await lock_row(session, Series, self.workspace_id, known.id)
            if series is None:
                raise NotFound(_UNKNOWN)
            if series.version != known.version:
                return None
            before = series_rules(series)
            write_pattern(series, pattern)
            series.name = body.name or series.name
            series.version, series.updated_at = series.version + 1, now
            times = await read_campaign_times(session, series)
            change = await change_posts(
                session, series, before, pattern, times, self.actor, now, override=body.override
            )
            change.added = await missing_occurrences(session, series, now)
            planned = await plan_series(session, series, now)
            result = {name: len(getattr(change, name)) for name in _COUNTED}
            await self._record(session, OperationKind.CHANGED, series, result)
            if body.dry_run:
                # The change is carried out and undone, so that it cannot differ from what would be done.
                await session.rollback()
                return change
        self._deliver(planned, change, now)
        return change

    async def _changed(
        self, series: Series, body: PatchSeriesBody, payload: JsonObject, now: datetime
    ) -> tuple[SeriesPattern, Sequence[ChangedDay]]:
        """Return the pattern that a series has after a change, and the excluded days whose wall times it changes."""
        before = series_pattern(series)
        include = before.include if body.include is None else read_walls(body.include, "include")
        pattern, days = replace(before, include=include), list[ChangedDay]()
        present = pattern.segment_at(wall_now(now, before.segments[-1].timezone))
        since = wall_now(now, present.timezone, body.timezone or present.timezone)
        if body.from_ is not None:
            since = max(since, read_wall(body.from_, "from"))
        if body.model_fields_set & _OF_SEGMENTS:
            earlier = [segment for segment in pattern.segments if segment.since < since]
            segments = [await self._changed_segment(segment, body, payload, now) for segment in _from(pattern, since)]
            pattern = replace(pattern, segments=_merged([*earlier, *segments], wall_now(now, present.timezone)))
        if body.exclude is not None:
            pattern = replace(pattern, exclude=read_exclusions(body.exclude, pattern, now))
        if body.model_fields_set & {"start", "recurrence"}:
            first, last = coming_from(now), coming_from(now) + FARTHEST
            coming = {wall for wall in pattern.exclude if first <= wall <= last}
            cuts = {since.date()} if wall_now(now, present.timezone) < since <= last else ()
            days = list(changed_days(before, pattern, coming, cuts=cuts))
            pattern = carry_exclusions(pattern, days)
        require_room(pattern)
        if body.model_fields_set & (_OF_SEGMENTS | {"exclude", "include"}):
            require_occurrence(pattern, now)
        return pattern, days

    async def _changed_segment(
        self, segment: SeriesSegment, body: PatchSeriesBody, payload: JsonObject, now: datetime
    ) -> SeriesSegment:
        zone = body.timezone or segment.timezone
        start = segment.start if body.start is None else read_start(body.start, now)
        if body.recurrence is None:
            rule = segment.recurrence
            check_recurrence(rule, start)
        else:
            rule = read_recurrence(body.recurrence, start, zone)
        content = segment.content
        if body.post is not None or body.variations is not None:
            content = await read_content(
                self.deps,
                self.workspace_id,
                content.post if body.post is None else payload["post"],
                content.variations if body.variations is None else payload["variations"],
                now + timedelta(hours=1),
                content.contents[0].campaign_id,
                body_size(payload),
                now,
            )
        return SeriesSegment(since=segment.since, timezone=zone, start=start, recurrence=rule, content=content)

    async def delete(self, series_id: str, posts: str | None) -> int:
        """Delete a series; `posts`: keep or delete those that have not begun. Returns how many were deleted.

        Raises NotFound, Conflict.
        """
        now = now_ms()
        async with self.deps.database.transaction() as session:
            series = await lock_row(session, Series, self.workspace_id, series_id) if is_series_id(series_id) else None
            if series is None:
                raise NotFound(_UNKNOWN)
            pause = await find_pause_under_way(session, self.workspace_id, series_gate(series_id))
            change = SeriesChange()
            if posts == "delete":
                change = await delete_posts(session, series, self.actor, now)
                if pause is not None:
                    await end_pause(session, pause, MissedPolicy.SKIP, timedelta(0), self.actor)
            elif pause is not None:
                raise Conflict(_PAUSED)
            elif posts is None and (unsent := await count_unsent(session, series, now)):
                sentence = f"The series has {unsent:,} posts that are not sent: say posts=keep or posts=delete"
                raise Conflict(Problem(sentence, "series_has_unsent_posts", "posts"))
            result = {"deletedPosts": len(change.deleted_posts)}
            await self._record(session, OperationKind.DELETED, series, result)
            await session.delete(series)
        self._deliver(PlannedPosts((), 0), change, now)
        return len(change.deleted_posts)

    async def _campaign(self, campaign_id: str | None, now: datetime) -> CampaignRules | None:
        """Return the campaign of a new series, which may be a draft. Raises Unprocessable, Conflict."""
        if campaign_id is None:
            return None
        rules = None
        if is_campaign_id(campaign_id):
            rules = await read_campaign_rules(self.deps.database, self.workspace_id, campaign_id)
        if rules is None:
            raise Unprocessable(UNKNOWN_CAMPAIGN)
        # Like a draft: its times matter for each occurrence.
        if problem := rules.find_problem(PostStatus.DRAFT, now):
            raise campaign_refusal(problem)
        return rules

    def _deliver(self, planned: PlannedPosts, change: SeriesChange, now: datetime) -> None:
        """Begin to notify the workflows of posts that are due soon, and of those that were deleted."""
        new = [(post.columns["id"], post.columns["due_at"]) for post in planned.posts]
        due = [post_id for post_id, due_at in (*change.changed_posts, *new) if due_at <= now + BULK_LEAD]
        self.deps.delivery.deliver_saved(due)
        self.deps.delivery.deliver_deleted(change.deleted_posts)


_OF_SEGMENTS = frozenset({"timezone", "start", "recurrence", "post", "variations"})
"""Fields of a change that hold from a wall time on."""
_COUNTED = ("added", "removed", "changed", "kept_edited", "untouched")


def read_rules(body: RulesBody, now: datetime) -> Pattern[Segment]:
    """Return the rules of a body, which have an occurrence to come. Raises InvalidRequest."""
    start = read_start(body.start, now)
    rule = read_recurrence(body.recurrence, start, body.timezone)
    segment = Segment(since=wall_now(now, body.timezone), timezone=body.timezone, start=start, recurrence=rule)
    pattern = Pattern([segment], include=read_walls(body.include, "include"))
    pattern = replace(pattern, exclude=read_exclusions(body.exclude or (), pattern, now))
    require_occurrence(pattern, now)
    return pattern


def _with_content(rules: Pattern[Segment], content: SeriesContent) -> SeriesPattern:
    segments = [SeriesSegment(**dict(segment), content=content) for segment in rules.segments]
    return Pattern(segments, rules.exclude, rules.include)


def _from(pattern: SeriesPattern, since: datetime) -> list[SeriesSegment]:
    """Return the segments in effect from a wall time on, the first cut at that time."""
    present = pattern.segment_at(since)
    later = [segment for segment in pattern.segments if segment.since > since]
    first = present.model_copy(update={"since": since}) if present.since <= since else None
    return [first, *later] if first else later


def _merged(segments: Sequence[SeriesSegment], now: datetime) -> list[SeriesSegment]:
    """Return segments without those that are over, and without a cut between equal ones."""
    merged: list[SeriesSegment] = []
    for segment in segments:
        if merged and merged[-1].since < segment.since <= now:
            merged.pop()
        if not merged or merged[-1].model_copy(update={"since": segment.since}) != segment:
            merged.append(segment)
    return merged


async def require_series(session: AsyncSession, workspace_id: str, series_id: str) -> Series:
    """Return a series of the workspace. Raises NotFound."""
    series = await find_row(session, Series, workspace_id, series_id) if is_series_id(series_id) else None
    if series is None:
        raise NotFound(_UNKNOWN)
    return series
