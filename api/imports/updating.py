"""The posts of rows that changed: each gets the changed cells, and keeps what was changed on the post itself."""

import asyncio
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.http.moments import now_ms
from api.imports.comparing import (
    FIELDS,
    FOR_PLATFORMS,
    Cells,
    Digests,
    ExistingRow,
    conflict,
    differing,
    refused_row,
    split_changes,
)
from api.imports.views import CellChangeView, RowResults
from api.posts.bodies.parse_post import ParsedPost, decide_status, missing_fields, time_problems, to_body
from api.posts.bodies.platform_rules import collect_platform_problems
from api.posts.many.checking import CheckedPost, RefusedRow
from api.posts.media_checks import targets_with_warned_media, warn_of_media
from api.posts.times import find_campaign_problem
from domain.audit import Actor
from domain.campaigns import CampaignRules
from domain.content import PostContent, answer_bytes
from domain.errors import Problem
from domain.imports import OnConflict, RowOutcome
from domain.loop_share import LoopShare
from domain.ownership import BULK_LEAD, may_change
from domain.post import PostStatus
from domain.schedule import ScheduledTime, UnknownZone
from domain.workspaces import LARGEST_POST
from store.accounts.connected import find_accounts
from store.campaigns.campaigns import campaign_rules
from store.models import Campaign, ConnectedAccount, Post
from store.posts.changes import target_rows
from store.posts.contents import rewrite
from store.posts.imports import ImportedPost, RowBefore, deliver_in_turn
from store.posts.queries import read_posts
from store.rows import find_row

_AFTER = Problem(
    "after cannot be changed for a post that exists: PATCH the post, or leave the row as it was",
    "invalid_field_value",
    "after",
)
_NO_ZONE = Problem("The post's time zone no longer exists; give another timezone", "invalid_field_value", "timezone")
_TOO_LARGE = Problem("The post would be too large with what was changed on it", "invalid_field_value", "content")
_BATCH = 50
"""Posts that are changed between two waits for the database, so that other requests run in between."""
_TIMES = frozenset({"scheduledFor", "timezone", "isDraft", "after"})
"""The cells that decide when a post is published."""


@dataclass(slots=True)
class UpdatedRows:
    """The effect of rows on existing posts."""

    refused: list[RefusedRow] = field(default_factory=list)
    """Rows whose posts may not be changed any more, or not so."""
    planned: list[CheckedPost] = field(default_factory=list)
    """The rows that change their posts, each as its post is then."""
    due_soon: list[tuple[datetime, str]] = field(default_factory=list)
    saved: dict[str, RowBefore] = field(default_factory=dict)
    """By external id what the next import compares with."""
    posts: list[ImportedPost] = field(default_factory=list)
    """The changed posts, and what undoes their changes."""


class PostUpdater:
    """The change of existing posts in one transaction, which holds their locks; `writes` is False for a dry run."""

    def __init__(
        self, deps: Dependencies, session: AsyncSession, workspace_id: str, actor: Actor, *, writes: bool
    ) -> None:
        self._deps, self._session, self._workspace_id = deps, session, workspace_id
        self._actor, self._writes = actor, writes
        self._campaigns: dict[str, CampaignRules | None] = {}
        self._accounts: dict[str, ConnectedAccount] = {}

    async def update(self, rows: Sequence[ExistingRow], on_conflict: OnConflict, results: RowResults) -> UpdatedRows:
        """Give existing posts the changed cells of their rows."""
        updated = UpdatedRows()
        by_post = {row.post_id: row for row in rows}
        async for batch in self.batches(sorted(by_post)):
            for post_id, post in batch.items():
                row = by_post[post_id]
                refusal = await self._update(row, post, on_conflict, results, updated) if post else _begun(row)
                if refusal is not None:
                    updated.refused.append(refusal)
                await asyncio.sleep(0)
        return updated

    async def batches(self, post_ids: Sequence[str]) -> AsyncIterator[Mapping[str, Post | None]]:
        """Yield posts by their ids, some at a time, and write what was changed in them; None for one that is gone."""
        for begin in range(0, len(post_ids), _BATCH):
            ids = post_ids[begin : begin + _BATCH]
            posts = await read_posts(
                self._session, Post.workspace_id == self._workspace_id, Post.id.in_(ids), lock=self._writes
            )
            versions = {post_id: post.version for post_id, post in posts.items()}
            yield {post_id: posts.get(post_id) for post_id in ids}
            await self._session.flush()
            changed_ids = [post_id for post_id, version in versions.items() if posts[post_id].version != version]
            await deliver_in_turn(self._session, changed_ids)
            self._session.expunge_all()

    async def may_change(self, post: Post) -> bool:
        """Return whether the publishing of a post has not begun, or begins again."""
        status = PostStatus(post.status)
        return may_change(status) or may_change(status, await target_rows(self._session, post))

    async def change(
        self, post: Post, now: Cells, source: Cells, names: Collection[str]
    ) -> tuple[ParsedPost | None, list[Problem]]:
        """Give a post that may be changed some cells of others; return it as it is then, or why that is wrong."""
        try:
            cells = now.with_cells(source, names)
        except UnknownZone:
            return None, [_NO_ZONE]
        content, campaign = cells.content, await self._campaign(cells.content.campaign_id)
        parsed, problems = _with_status(post, cells, campaign, now_ms(), keeps_time=_TIMES.isdisjoint(names))
        joins = "campaignId" in names
        if joins or parsed.due_at != post.due_at:
            problem = find_campaign_problem(parsed, campaign, joins=joins)
            problems += [problem] if problem else []
        if not parsed.is_draft and (source.is_draft or differing(cells.digests(), source.digests()) & FOR_PLATFORMS):
            # The row was checked, but not together with the post's other cells.
            problems += missing_fields(to_body(content), set(), draft=parsed.status is PostStatus.DRAFT)
            accounts = await self._find_accounts(content)
            problems += await collect_platform_problems(content, accounts, LoopShare(heavy=True))
            problems += [_TOO_LARGE] if answer_bytes(content) > LARGEST_POST else []
        if problems:
            return None, problems
        if self._writes:
            earlier = targets_with_warned_media(post, self._deps)
            rewrite(post, content, self._actor, status=parsed.status, due_at=parsed.due_at, now=now_ms())
            warn_of_media(post, self._deps, earlier)
            self._deps.usage.count_bytes(post.workspace_id, post.answer_bytes)
        return parsed, []

    async def _update(
        self, row: ExistingRow, post: Post, on_conflict: OnConflict, results: RowResults, updated: UpdatedRows
    ) -> RefusedRow | None:
        """Give a post the changed cells of its row, and add the row's result; return why that is refused."""
        cells = Cells.of_post(post)
        names, conflicts = split_changes(row, cells.digests())
        to_write = names if on_conflict is OnConflict.KEEP else names | conflicts
        if to_write and not await self.may_change(post):
            return _begun(row)
        if conflicts and on_conflict is OnConflict.REFUSE:
            return refused_row(row.row, *(conflict(row, cells, name) for name in FIELDS if name in conflicts))
        if to_write and row.refusal and ("scheduledFor" in to_write or not row.refusal.is_malformed):
            return row.refusal
        if "after" in to_write and row.cells.content.after_post_id is not None:
            return refused_row(row.row, _AFTER)
        changes = [
            CellChangeView(field=name, conflict=name in conflicts, post=cells.show(name), row=row.cells.show(name))
            for name in FIELDS
            if name in names | conflicts
        ]
        if not to_write:
            outcome = RowOutcome.IGNORED if conflicts else RowOutcome.UNCHANGED
            results.add(row.row, outcome, post.id, changes)
        else:
            parsed, problems = await self.change(post, cells, row.cells, to_write)
            if parsed is None:
                return refused_row(row.row, *problems)
            planned = replace(row.row, parsed=parsed)
            results.add(planned, RowOutcome.UPDATED, post.id, changes)
            updated.planned.append(planned)
            if post.due_at is not None and post.due_at <= datetime.now(UTC) + BULK_LEAD:
                updated.due_soon.append((post.due_at, post.id))
        if self._writes:
            _record(row, post, cells, to_write, updated)
        return None

    async def _campaign(self, campaign_id: str | None) -> CampaignRules | None:
        if campaign_id is not None and campaign_id not in self._campaigns:
            campaign = await find_row(self._session, Campaign, self._workspace_id, campaign_id)
            self._campaigns[campaign_id] = campaign_rules(campaign) if campaign else None
        return self._campaigns.get(campaign_id or "")

    async def _find_accounts(self, content: PostContent) -> Mapping[str, ConnectedAccount]:
        account_ids = {target.account_id for target in content.targets}
        if unread := account_ids - self._accounts.keys():
            self._accounts |= await find_accounts(self._session, self._workspace_id, sorted(unread))
        return self._accounts


def _with_status(
    post: Post, cells: Cells, campaign: CampaignRules | None, now: datetime, *, keeps_time: bool
) -> tuple[ParsedPost, list[Problem]]:
    """Return what becomes of a post with these cells, and what is wrong with its time."""
    content = cells.content
    has_time = content.scheduled_for is not None or (keeps_time and post.due_at is not None)
    waits, keeps_drafts = content.after_post_id is not None, campaign is not None and campaign.keeps_drafts
    if cells.is_draft or waits or keeps_drafts or not has_time:
        return ParsedPost(content, PostStatus.DRAFT, None), []
    if keeps_time and post.due_at is not None:
        is_scheduled = post.status == PostStatus.SCHEDULED
        return ParsedPost(content, PostStatus.SCHEDULED if is_scheduled else PostStatus.PUBLISHING, post.due_at), []
    problems: list[Problem] = []
    if content.scheduled_for is not None:
        problems = time_problems(ScheduledTime(content.scheduled_for, content.scheduled_wall, content.timezone), now)
    return decide_status(content, now, draft=False, publish_now=False), problems


def _record(row: ExistingRow, post: Post, cells: Cells, names: Collection[str], updated: UpdatedRows) -> None:
    """Note what the next import compares with, and what undoes the change of a post from these cells."""
    digests, before = Cells.of_post(post).digests(), row.before
    post_cells: Digests = digests
    if before is not None:
        # A cell that was changed on the post counts as changed until a row says the same.
        own = differing(row.digests, digests) - set(names)
        others = {name: digest for name, digest in digests.items() if name not in own}
        post_cells = others | {name: before.post_cells[name] for name in own if name in before.post_cells}
    if (external_id := post.external_id) is not None:
        updated.saved[external_id] = RowBefore(post.id, row.digests, post_cells)
    post.external_digest = row.row.digest
    if names:
        written = {name: digests.get(name) for name in names}
        updated.posts.append(ImportedPost(post.id, written, cells.to_json(names) | _digests_before(before, names)))


def _digests_before(before: RowBefore | None, names: Collection[str]) -> dict[str, Any]:
    if before is None:
        return {}
    row, post = ({name: cells.get(name) for name in names} for cells in (before.row_cells, before.post_cells))
    return {"rowCells": row, "postCells": post}


def _begun(row: ExistingRow) -> RefusedRow:
    sentence = f"{row.post_id} has this externalId, and cannot be changed any more: its publishing has begun"
    return refused_row(row.row, Problem(sentence, "conflict", "externalId", post_id=row.post_id))
