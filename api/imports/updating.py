"""The rows of an import whose posts exist: left alone, or given the row's content and time."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.imports.results import RowResults
from api.posts.changes.external_id import taken_id
from api.posts.clock import now_ms
from api.posts.many.checking import CheckedPost, CheckedRows, RefusedRow
from api.posts.media_warnings import targets_with_warned_media, warn_of_media
from domain.audit import Actor
from domain.delivery import BULK_LEAD
from domain.errors import Problem
from domain.imports import OnExisting, RowOutcome
from domain.loop_share import LoopShare
from domain.ownership import may_change
from domain.post import PostStatus
from store.models import Post
from store.posts.changes import target_rows
from store.posts.contents import rewrite
from store.posts.imports import KnownPost, deliver_in_turn, find_posts

_QUEUE = Problem(
    "queue cannot be given for a post that exists: give scheduledFor, or PATCH the post", "invalid_field_value", "queue"
)
_AFTER = Problem(
    "after cannot be changed for a post that exists: PATCH the post, or leave the row as it was",
    "invalid_field_value",
    "after",
)
_BATCH = 50
"""Posts that are changed between two waits for the database, so that other requests run in between."""


@dataclass(slots=True)
class ExistingRows:
    """The rows of an import by what they find: no post, the same, or another one."""

    new: list[CheckedPost] = field(default_factory=list)
    differing: list[tuple[CheckedPost, str]] = field(default_factory=list)
    """Each with the id of the post that it is to change."""


async def compare(
    checked: CheckedRows,
    known: Mapping[str, KnownPost],
    on_existing: OnExisting,
    results: RowResults,
    turn: LoopShare,
) -> tuple[ExistingRows, list[RefusedRow]]:
    """Return the rows that are still to be carried out, and those that are refused; the others get a result.

    A row that has made its post is not refused, even if it would be today because its time has passed.
    """
    rows, refused = ExistingRows(), list[RefusedRow]()
    for row in checked.refused:
        existing = known.get(row.external_id or "") if row.digest else None
        if existing is not None and existing.digest == row.digest:
            results.add_existing(row, RowOutcome.UNCHANGED, existing.id)
        elif existing is not None and on_existing is OnExisting.KEEP:
            results.add_existing(row, RowOutcome.IGNORED, existing.id)
        else:
            refused.append(row)
    for post in checked.posts:
        await turn.pause()
        existing = known.get(post.parsed.content.external_id or "")
        if existing is None:
            rows.new.append(post)
        elif existing.digest == post.digest:
            results.add(post, RowOutcome.UNCHANGED, existing.id)
        elif on_existing is OnExisting.KEEP:
            results.add(post, RowOutcome.IGNORED, existing.id)
        elif on_existing is OnExisting.UPDATE and post.parsed.queue is not None:
            refused.append(refused_row(post, _QUEUE))
        elif on_existing is OnExisting.UPDATE:
            rows.differing.append((_with_first_post(post, known), existing.id))
        else:
            refused.append(refused_row(post, taken_id(existing.id)))
    return rows, refused


def _with_first_post(post: CheckedPost, known: Mapping[str, KnownPost]) -> CheckedPost:
    """Return a row with the id of the existing post for which it waits, if it names one by its externalId."""
    if (first := known.get(post.after_external_id or "")) is not None:
        post.parsed.content.after_post_id = first.id
    return post


def refused_row(post: CheckedPost, problem: Problem) -> RefusedRow:
    """Return a sound row that its post's state does not allow."""
    where = f"rows.{post.number}"
    named = replace(problem.within(where), row=post.number)
    return RefusedRow(post.number, [named], post.parsed.content.external_id, post.digest, is_malformed=False)


async def update_posts(
    deps: Dependencies,
    session: AsyncSession,
    workspace_id: str,
    actor: Actor,
    differing: Sequence[tuple[CheckedPost, str]],
    results: RowResults,
) -> tuple[list[RefusedRow], list[str]]:
    """Give existing posts the content and time of their rows; the transaction holds their locks from then on.

    Returns the rows whose posts may not be changed any more, and the ids of the posts that are due soon.
    """
    refused: list[RefusedRow] = []
    due_soon: list[tuple[datetime, str]] = []
    for batch in _batches(sorted(differing, key=lambda row: row[1])):
        posts = await find_posts(session, workspace_id, [post_id for _, post_id in batch], lock=True)
        changed_ids: list[str] = []
        for row, post_id in batch:
            post = posts.get(post_id)
            if post is None or not await _may_change(session, post):
                refused.append(refused_row(row, _begun(post_id)))
                continue
            if row.parsed.content.after_post_id not in {None, post.after_post_id}:
                refused.append(refused_row(row, _AFTER))
                continue
            if post.external_digest != row.digest:
                _rewrite(deps, post, row, actor)
                changed_ids.append(post_id)
            results.add(row, RowOutcome.UPDATED, post_id)
            if post.due_at is not None and post.due_at <= datetime.now(UTC) + BULK_LEAD:
                due_soon.append((post.due_at, post_id))
        await session.flush()
        await deliver_in_turn(session, changed_ids)
        session.expunge_all()
    return refused, [post_id for _, post_id in sorted(due_soon)]


async def preview_updates(
    session: AsyncSession, workspace_id: str, differing: Sequence[tuple[CheckedPost, str]], results: RowResults
) -> list[RefusedRow]:
    """Add the results that `update_posts` would have, and return the rows that it would refuse."""
    refused: list[RefusedRow] = []
    for batch in _batches(differing):
        posts = await find_posts(session, workspace_id, [post_id for _, post_id in batch], lock=False)
        for row, post_id in batch:
            if post_id not in posts or not await _may_change(session, posts[post_id]):
                refused.append(refused_row(row, _begun(post_id)))
            elif row.parsed.content.after_post_id not in {None, posts[post_id].after_post_id}:
                refused.append(refused_row(row, _AFTER))
            else:
                results.add(row, RowOutcome.UPDATED, post_id)
        session.expunge_all()
    return refused


def _batches(rows: Sequence[tuple[CheckedPost, str]]) -> Iterator[Sequence[tuple[CheckedPost, str]]]:
    for begin in range(0, len(rows), _BATCH):
        yield rows[begin : begin + _BATCH]


async def _may_change(session: AsyncSession, post: Post) -> bool:
    status = PostStatus(post.status)
    return may_change(status) or may_change(status, await target_rows(session, post))


def _rewrite(deps: Dependencies, post: Post, row: CheckedPost, actor: Actor) -> None:
    earlier = targets_with_warned_media(post, deps)
    parsed = row.parsed
    rewrite(post, parsed.content, actor, status=parsed.status, due_at=parsed.due_at, now=now_ms())
    warn_of_media(post, deps, earlier)
    post.external_digest = row.digest
    deps.usage.count_bytes(post.workspace_id, post.answer_bytes)


def _begun(post_id: str) -> Problem:
    sentence = f"{post_id} has this externalId, and cannot be changed any more: its publishing has begun"
    return Problem(sentence, "conflict", "externalId", post_id=post_id)
