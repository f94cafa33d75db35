"""Carry out an import: all of its rows together or nothing, and once for its Idempotency-Key."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.http.body import JsonObject, LargeBody, split_body
from api.http.body_validation import read_valid
from api.http.moments import now_ms
from api.imports.comparing import CHANGED, Cells, ComparedRows, Digests, compare
from api.imports.rows import csv_rows, line_rows, list_rows
from api.imports.updating import PostUpdater, UpdatedRows
from api.imports.views import PAGE, CellChangeView, ImportBody, ImportQuery, ImportRowView, RowResults, import_view
from api.posts.answers.rendering import Answer, answer_view
from api.posts.many.building import (
    PlanWarningView,
    build_posts,
    deliver_due,
    link_rows,
    plan_warnings,
    rows_warning,
    take_slots,
    total_bytes,
    write_links,
)
from api.posts.many.checking import (
    MOST_ROW_PROBLEMS,
    MOST_ROWS,
    SLICE,
    CheckedPost,
    CheckedRows,
    RefusedRow,
    Row,
    check_rows,
)
from api.posts.once import complete, once, take_key
from api.posts.times import UNKNOWN_CAMPAIGN
from domain.audit import api_key
from domain.campaigns import OperationKind
from domain.errors import InvalidRequest, Problem, Unavailable, Unprocessable
from domain.ids import made_at, new_id
from domain.imports import OnError, RowOutcome
from domain.loop_share import loop_share
from domain.post import PostStatus
from store.campaigns.operations import record_operation
from store.posts.contents import NewPost
from store.posts.creating import CampaignGoneError, ExternalIdTakenError, create_posts, hold_campaigns
from store.posts.idempotency import KeyedRequest
from store.posts.imports import ImportedPost, RowBefore, add_import, save_posts, save_rows

log = structlog.get_logger(__name__)

JSON, LINES, CSV = "application/json", "application/x-ndjson", "text/csv"
_UNKNOWN = (
    "replace their posts as a whole, because the posts were changed and it is not known which row made them: what was "
    "changed by hand is replaced, as changes of the results say"
)
_TRIES = 3
"""Times that an import is tried while other requests create posts with its external ids."""
_RACED = Problem("Other requests create posts with the same externalIds; please try again", "unavailable")


@dataclass(frozen=True, slots=True)
class ImportRequest:
    """A request to import rows: who sends it, the use of its Idempotency-Key, and how it is carried out."""

    deps: Dependencies
    workspace_id: str
    api_key_id: str
    request: KeyedRequest
    query: ImportQuery

    async def answer(self, body: LargeBody) -> Answer:
        """Answer the request, or as the first request with this key was answered.

        Raises InvalidRequest, Unprocessable, IdempotencyKeyReused, TooManyRequests, Unavailable.
        """
        return await once(self.deps, self.request, "", partial(self._answer, body), is_costly=True)

    async def _answer(self, body: LargeBody) -> Answer:
        size = len(body.raw)
        checked = await check_rows(self.deps, self.workspace_id, await self._rows(body), size)
        if not checked.total:
            raise InvalidRequest(Problem("There are no rows", "missing_required_field", "rows"))
        if self.query.on_error is OnError.SKIP:
            _require_external_ids(checked)
        if self.query.dry_run:
            return await self._preview(checked, size)
        for _ in range(_TRIES):
            try:
                return await self._carry_out(checked, size)
            except CampaignGoneError:
                raise Unprocessable(replace(UNKNOWN_CAMPAIGN, param="rows")) from None
            except ExternalIdTakenError:
                log.info("import.raced")
        raise Unavailable(_RACED, retry_after=1)

    async def _rows(self, body: LargeBody) -> Iterator[Row]:
        """Return the rows of a body, which are read as they are taken. Raises InvalidRequest."""
        if body.content_type == JSON:
            async with loop_share(len(body.raw)) as turn:
                split = await split_body(body.raw, "posts", MOST_ROWS, turn)
            # Whether the object has a list, and no other field: the items are read one by one.
            posts: JsonObject = {} if split.items is None else {"posts": [{}] * min(1, len(split.items))}
            read_valid(ImportBody, split.fields | posts)
            rows = list_rows(split)
        else:
            rows = csv_rows(body.raw) if body.content_type == CSV else line_rows(body.raw)
        return (replace(row, body=self.query.completed(row.body)) for row in _limited(rows))

    async def _compared(
        self, session: AsyncSession, checked: CheckedRows, results: RowResults, size: int
    ) -> ComparedRows:
        async with loop_share(size) as turn:
            return await compare(session, self.workspace_id, checked, self.query, results, turn)

    async def _warn(
        self, session: AsyncSession, rows: ComparedRows, updated: UpdatedRows, size: int
    ) -> list[PlanWarningView]:
        planned, replaced = [*rows.new, *updated.planned], [row.post_id for row in rows.differing]
        warnings = await plan_warnings(session, self.workspace_id, planned, self.query.timezone, replaced, size)
        unknown = rows.of_unknown
        return [rows_warning("row_before_unknown", _UNKNOWN, unknown), *warnings] if unknown else warnings

    def _settle(self, checked: CheckedRows, refused: list[RefusedRow], results: RowResults) -> None:
        """Add the results of refused rows if they are skipped. Otherwise raises InvalidRequest, Unprocessable."""
        if self.query.on_error is OnError.REFUSE:
            replace(checked, refused=refused).require_sound()
        for row in sorted(refused, key=lambda row: row.number):
            results.add_refused(row)

    async def _link(
        self, session: AsyncSession, rows: ComparedRows, size: int
    ) -> tuple[dict[int, int], list[RefusedRow]]:
        """Return the result of `link_rows` for the rows that become posts."""
        async with loop_share(size) as turn:
            return await link_rows(session, self.workspace_id, rows.new, now_ms(), "rows", turn)

    def _updater(self, session: AsyncSession, *, writes: bool) -> PostUpdater:
        return PostUpdater(self.deps, session, self.workspace_id, api_key(self.api_key_id), writes=writes)

    async def _preview(self, checked: CheckedRows, size: int) -> Answer:
        results = RowResults()
        async with self.deps.database.transaction() as session:
            rows = await self._compared(session, checked, results, size)
            updater = self._updater(session, writes=False)
            updated = await updater.update(rows.differing, self.query.on_conflict, results)
            _, unlinked = await self._link(session, rows, size)
            warnings = await self._warn(session, rows, updated, size)
        numbers = {row.number for row in unlinked}
        for post in rows.new:
            if post.number not in numbers:
                results.add(post, RowOutcome.CREATED, None)
        self._settle(checked, [*rows.refused, *updated.refused, *unlinked], results)
        views = results.views
        if len(views) > PAGE:
            # There are no further pages of a dry run: the rows that do something come first.
            views.sort(key=lambda view: view["outcome"] == RowOutcome.UNCHANGED)
        view = import_view(None, datetime.now(UTC), results.counts, warnings, views)
        return replace(answer_view(view), to_keep=False)

    async def _carry_out(self, checked: CheckedRows, size: int) -> Answer:
        """Write everything together. Raises ExternalIdTakenError, KeyTakenError."""
        deps, workspace_id, results = self.deps, self.workspace_id, RowResults()
        actor, import_id = api_key(self.api_key_id), new_id("imp")
        for row in checked.posts:
            if row.parsed.queue is not None:
                # The slot of an earlier try, which the post did not get.
                row.parsed.content.scheduled_for = None
        async with deps.database.reading() as session:
            rows = await self._compared(session, checked, results, size)
        if self.query.on_error is OnError.REFUSE:
            replace(checked, refused=rows.refused).require_sound()
        await deps.request_limits.take_posts(workspace_id, len(rows.new) + len(rows.differing))
        posts = await build_posts(deps, workspace_id, actor, rows.new, size)
        await deps.usage.count_posts(workspace_id, len(posts), total_bytes(posts))
        async with deps.database.transaction() as session:
            campaigns = _count_by_campaign(rows)
            await hold_campaigns(session, workspace_id, campaigns)
            updated = await self._updater(session, writes=True).update(rows.differing, self.query.on_conflict, results)
            first_rows, unlinked = await self._link(session, rows, size)
            self._settle(checked, [*rows.refused, *updated.refused, *unlinked], results)
            warnings = await self._warn(session, rows, updated, size)
            async with loop_share(size) as turn:
                write_links(rows.new, posts, first_rows)
                await turn.pause()
                numbers = {row.number for row in unlinked}
                linked = [(row, post) for row, post in zip(rows.new, posts, strict=True) if row.number not in numbers]
                posts = [post for _, post in linked]
            async with loop_share(size) as turn:
                of_rows: list[Digests] = []
                for row, post in linked:
                    of_rows.append(_cells_of_new(row, post).digests())
                    await turn.pause()
            await take_slots(session, workspace_id, [row.parsed for row, _ in linked], posts, "rows")
            async with loop_share(size) as turn:
                for (row, post), row_digests in zip(linked, of_rows, strict=True):
                    results.add(row, RowOutcome.CREATED, post.columns["id"])
                    _record(row, post, row_digests, updated)
                    await turn.pause()
            await create_posts(session, posts)
            await save_rows(session, workspace_id, rows.learnt | updated.saved)
            for campaign_id, posts_of_campaign in campaigns.items():
                summary = {"importId": import_id, "posts": posts_of_campaign}
                await record_operation(
                    session, workspace_id, OperationKind.IMPORTED, actor, summary, campaign_id=campaign_id
                )
            created_at, views = made_at(import_id), results.views
            answer = replace(
                answer_view(import_view(import_id, created_at, results.counts, warnings, views)), status=201
            )
            await add_import(
                session,
                {
                    "id": import_id,
                    "workspace_id": workspace_id,
                    "created_at": created_at,
                    "created_by": self.api_key_id,
                    "counts": results.counts,
                    "warnings": warnings,
                },
                await _written(views, size),
            )
            await save_posts(session, workspace_id, import_id, updated.posts)
            # At the end: nothing waits for a transaction that may take seconds.
            await take_key(session, self.request, import_id)
            answer = await complete(session, self.request, answer)
        log.info("import", import_id=import_id, **results.counts)
        for campaign_id in campaigns:
            deps.campaign_progress.forget(campaign_id)
        deliver_due(deps, posts)
        deps.delivery.deliver_saved([post_id for _, post_id in sorted(updated.due_soon)])
        await _release(size, linked, posts, rows.new, rows.differing, updated.planned, updated.posts, checked.posts)
        return answer


async def _release(size: int, *lists: list[Any]) -> None:
    """Empty lists, a few items at a time: to free 10,000 rows at once stops the event loop for 40 ms."""
    async with loop_share(size) as turn:
        for items in lists:
            while items:
                del items[-SLICE:]
                await turn.pause()


async def _written(views: Sequence[ImportRowView], size: int) -> str:
    """Return results as JSON, written a few at a time."""
    pieces: list[str] = []
    async with loop_share(size) as turn:
        for begin in range(0, len(views), SLICE):
            pieces.extend(json.dumps(_without_values(view)) for view in views[begin : begin + SLICE])
            await turn.pause()
    return f"[{','.join(pieces)}]"


def _without_values(view: ImportRowView) -> ImportRowView:
    """Return a result as it is stored: without the content of posts, which may be deleted before."""
    stored = view.copy()
    if "changes" in view:
        stored["changes"] = [CellChangeView(field=item["field"], conflict=item["conflict"]) for item in view["changes"]]
    if any(item["code"] == CHANGED for item in view.get("errors", ())):
        stored["errors"] = [{**item, "error": item["error"].partition(":")[0]} for item in view["errors"]]
    return stored


def _limited(rows: Iterator[Row]) -> Iterator[Row]:
    """Yield rows. Raises InvalidRequest if there are too many."""
    for count, row in enumerate(rows):
        if count == MOST_ROWS:
            sentence = f"An import may have at most {MOST_ROWS:,} rows: send the others in another one"
            raise InvalidRequest(Problem(sentence, "invalid_field_value", "rows", row=row.number))
        yield row


def _cells_of_new(row: CheckedPost, post: NewPost) -> Cells:
    """Return the cells of a row that becomes a post, before this has the slot of its queue."""
    names = ("after_post_id", "scheduled_for", "scheduled_wall", "timezone")
    content = row.parsed.content.model_copy(update={name: post.columns[name] for name in names})
    return Cells(content, row.is_draft, row.parsed.queue)


def _record(row: CheckedPost, post: NewPost, row_digests: Digests, updated: UpdatedRows) -> None:
    """Note the cells of a new post and of its row."""
    is_draft = post.columns["status"] == PostStatus.DRAFT and post.columns["after_post_id"] is None
    cells = replace(_cells_of_new(row, post), is_draft=is_draft, queue=post.columns["queue_id"])
    digests, post_id = cells.digests(), post.columns["id"]
    updated.posts.append(ImportedPost(post_id, digests, None))
    if (external_id := row.parsed.content.external_id) is not None:
        updated.saved[external_id] = RowBefore(post_id, row_digests, digests)


def _count_by_campaign(rows: ComparedRows) -> Counter[str]:
    """Return how many posts of each campaign rows create or change."""
    posts = (*rows.new, *(existing.row for existing in rows.differing))
    campaign_ids = (post.parsed.content.campaign_id for post in posts)
    return Counter(campaign_id for campaign_id in campaign_ids if campaign_id is not None)


def _require_external_ids(checked: CheckedRows) -> None:
    """Raise InvalidRequest if rows that would become posts have no externalId."""
    problems = [
        Problem(
            f"rows.{post.number}.externalId is required with onError=skip: without one, a repeat would create it again",
            "missing_required_field",
            f"rows.{post.number}.externalId",
            row=post.number,
        )
        for post in checked.posts
        if post.parsed.content.external_id is None
    ]
    if problems:
        raise InvalidRequest(problems[:MOST_ROW_PROBLEMS])
