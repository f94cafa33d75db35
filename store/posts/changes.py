"""The transactions that change posts other than their content (`store.posts.contents.rewrite`).

Each locks the post's row, decides by its state, and raises its version. A workflow that misses the change finds it in
the row before it sends anything.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ARRAY, and_, any_, delete, func, literal, select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.attempts import ROWS_LOST, WORKER_LOST, AttemptResult, AttemptState, AttemptStep
from domain.audit import MOST_CHANGES, Action, Actor, AuditEntry, FieldChange
from domain.codes import CANCELLED
from domain.ownership import TargetRow, last_moment, may_delete, may_resolve, may_retry, write_off
from domain.post import ErrorCategory, PostStatus, TargetState, TargetStatus, status_shown
from domain.schedule import rfc3339
from store.announcer import announce
from store.audit import add_entries, is_recorded, trail_event
from store.models import Attempt, Id, Post, Target
from store.pauses.moving import batches
from store.posts.queries import read_posts
from store.publishing.targets import (
    close_attempt,
    finished_step,
    forget_error,
    raise_version,
    refresh_post,
    set_aside,
    wait_from,
)

_CANCELLED = "An operator of this service cancelled the post before it was published."

_MORE_THAN_WERE_LOST = 1000
_WHY_CONFIRM = "what was sent since is not known to this database; confirming on the platform before anything else"
_IS_OPEN_SEND = and_(Attempt.step == AttemptStep.PUBLISH, Attempt.state == AttemptState.SENDING)
_UNKNOWN = "An operator cancelled the post while its answer was awaited. It may be public: look at the account."


def target_row(target: Target, *, sending: bool = False) -> TargetRow:
    """Return the state of a target in its rows; `sending`: an attempt to publish it is open."""
    return TargetRow(TargetStatus(target.status), target.confirming, target.next_attempt_at is not None, sending)


async def lock_post(session: AsyncSession, post_id: str) -> Post | None:
    """Return a post with its current targets, locked until the transaction ends; None if it is deleted."""
    return (await read_posts(session, Post.id == post_id, lock=True)).get(post_id)


async def delete_post(session: AsyncSession, post: Post, actor: Actor) -> bool:
    """Delete a locked post, and all of it except its history; False while one of its targets is being published.

    The database keeps the history (`keep_history_v1`). Once this is committed nothing is sent: every send begins by
    locking the row.
    """
    return post.id in await delete_many(session, [post], actor)


async def delete_many(session: AsyncSession, posts: Sequence[Post], actor: Actor) -> set[str]:
    """Delete those of locked posts that `delete_post` would delete; return their ids."""
    out = await _open_sends(session, posts)
    deleted: set[str] = set()
    for post in posts:
        if may_delete(PostStatus(post.status), _target_rows(post, out)):
            session.add(trail_event(post, AuditEntry(Action.DELETED, actor, details=_last_state(post))))
            deleted.add(post.id)
    await session.execute(delete(Post).where(Post.id.in_(deleted)))
    announce(session, *deleted)
    return deleted


def _last_state(post: Post) -> tuple[tuple[str, Any], ...]:
    """Return what the list of deleted posts shows of a post."""
    now = datetime.now(UTC)
    status = status_shown(PostStatus(post.status), post.due_at, now)
    targets = [{"platform": target.platform, "accountId": target.account_id} for target in post.targets]
    return (
        ("workflowId", post.workflow_id),
        ("status", status.value),
        ("scheduledFor", rfc3339(post.scheduled_for) if post.scheduled_for else None),
        ("targets", targets[:MOST_CHANGES]),
    )


async def target_rows(session: AsyncSession, post: Post) -> list[TargetRow]:
    """Return the states of a locked post's targets, in their order."""
    return _target_rows(post, await _open_sends(session, [post]))


def _target_rows(post: Post, out: Collection[str]) -> list[TargetRow]:
    return [target_row(target, sending=target.id in out) for target in post.targets]


async def reopen(
    session: AsyncSession, post: Post, actor: Actor, only: Collection[str] | None = None, **details: Any
) -> bool:
    """Reopen a locked post's failed targets, and have resting unconfirmed ones confirmed again.

    `only`: the ids of these targets; None for all. False if there are none; published targets do not change. `details`
    are for the audit trail.
    """
    again = [target for target in post.targets if may_retry(target_row(target)) and (only is None or target.id in only)]
    for target in again:
        if target.status == TargetStatus.FAILED:
            forget_error(target)
            # It is prepared from the beginning: the prepared uploads may be why it failed.
            target.handles, target.media_changes = set_aside(target.handles), []
            target.status = TargetStatus.PENDING
            wait_from(target, datetime.now(UTC))
        else:
            target.confirming = True
    if again:
        meant = tuple((target.platform, target.account_id) for target in again)
        raise_version(post, AuditEntry(Action.RETRIED, actor, targets=meant, details=tuple(details.items())))
        await refresh_post(session, post)
    return bool(again)


async def resolve(
    session: AsyncSession,
    post: Post,
    target: Target,
    platform_post_id: str | None,
    actor: Actor,
    *,
    published: bool,
    url: str | None = None,
) -> bool:
    """Settle a locked post's target as a person found it on the platform, at `url` if that is known.

    False if it is neither unconfirmed nor settled by a person lately.
    """
    now, before = datetime.now(UTC), target.status
    if not may_resolve(TargetStatus(target.status), await settled_by_a_person(session, target, now)):
        return False
    forget_error(target)
    if published:
        target.status = TargetStatus.PUBLISHED
        known_url = target.platform_post_url if platform_post_id == target.platform_post_id else None
        target.platform_post_id, target.platform_post_url = platform_post_id, known_url or url
        target.published_at = target.published_at or now
    else:
        target.platform_post_id = target.platform_post_url = target.published_at = target.editable_until = None
        target.status = TargetStatus.FAILED
        target.error = "A person looked and did not find it published. Retry it if it should still go out."
        target.error_code = "not_published"
        target.error_category = ErrorCategory.UNCONFIRMED
        target.retryable = True
    decision = f"a person says it is {'published' if published else 'not published'}"
    result = AttemptResult(AttemptState.DONE, decision)
    session.add(finished_step(target.id, AttemptStep.RESOLVE, datetime.now(UTC), result))
    raise_version(
        post,
        AuditEntry(
            Action.RESOLVED,
            actor,
            (FieldChange("status", before, target.status),),
            ((target.platform, target.account_id),),
            (("platformPostId", platform_post_id),) if platform_post_id else (),
        ),
    )
    # The post may be settled now, and nothing else would repeat a notification that is lost.
    post.next_delivery_at = now
    await refresh_post(session, post)
    return True


async def settled_by_a_person(session: AsyncSession, target: Target, now: datetime) -> timedelta | None:
    """Return how long ago a person settled a target; None unless that was the last step that changed the target.

    A confirmation that was running meanwhile changed nothing, because the target was no longer unconfirmed.
    """
    query = select(Attempt.step, Attempt.started_at).where(
        Attempt.target_id == target.id, Attempt.step != AttemptStep.CONFIRM
    )
    last = (await session.execute(query.order_by(Attempt.id.desc()).limit(1))).one_or_none()
    return now - last.started_at if last and last.step == AttemptStep.RESOLVE else None


async def write_off_post(session: AsyncSession, post: Post, actor: Actor, **details: Any) -> datetime | None:
    """Write off a locked post's targets, whose workflow was cancelled: failed, or unconfirmed if they may be public.

    `details` are for the audit trail, and name the run: the write-off of one run leaves one line. A frozen worker may
    still send a request of the post. Returns the time after which it cannot; None if there is no such request.
    """
    out = await _open_sends(session, [post])
    await _close_sends(session, list(out), "cancelled while the answer was awaited")
    changed = list[Target]()
    for target in post.targets:
        state = write_off(target_row(target, sending=target.id in out))
        if state != TargetState(TargetStatus(target.status), target.confirming):
            _write_off(target, state)
            changed.append(target)
    meant = tuple((target.platform, target.account_id) for target in changed)
    entry = AuditEntry(Action.CANCELLED, actor, targets=meant, details=tuple(details.items()))
    repeated = not changed and await is_recorded(session, post, Action.CANCELLED, runId=details.get("runId"))
    raise_version(post, None if repeated else entry)
    await refresh_post(session, post)
    lost = select(func.max(Attempt.finished_at)).where(
        Attempt.target_id.in_([target.id for target in post.targets]),
        Attempt.step == AttemptStep.PUBLISH,
        Attempt.state == AttemptState.UNCONFIRMED,
        Attempt.code == WORKER_LOST,
    )
    closed_at = await session.scalar(lost)
    return None if closed_at is None else last_moment(closed_at, closed_at, worker_lost=True)


def _write_off(target: Target, state: TargetState) -> None:
    forget_error(target)
    target.status = state.status.value
    target.error_code = CANCELLED
    if state.status is TargetStatus.FAILED:
        target.error, target.error_category, target.retryable = _CANCELLED, ErrorCategory.INTERNAL, True
    else:
        target.error, target.error_category, target.retryable = _UNKNOWN, ErrorCategory.UNCONFIRMED, False


async def confirm_first(
    session: AsyncSession,
    post: Post,
    entry: AuditEntry,
    since: datetime,
    until: datetime | None = None,
    platforms: Collection[str] | None = None,
) -> bool:
    """Save that a locked post's targets must be confirmed before they are sent: newer rows of them were lost.

    Each gets an open attempt, as if its worker had died while it sent. The post keeps its status and its time. `entry`
    says in the audit trail who found that out. `since` and `until` limit the time at which the post may have been sent;
    None: it may still be sent. `platforms` limits it to targets on these; None: on all. False if these rows have no
    such target that is neither public, failed nor unconfirmed.
    """
    out = await _open_sends(session, [post])
    unsure = [
        target
        for target in post.targets
        if TargetStatus(target.status).is_unsent
        and target.id not in out
        and (platforms is None or target.platform in platforms)
    ]
    for target in unsure:
        lost = Attempt(target_id=target.id, started_at=since, finished_at=until, code=ROWS_LOST, decision=_WHY_CONFIRM)
        lost.step, lost.state = AttemptStep.PUBLISH, AttemptState.SENDING
        session.add(lost)
    if unsure or platforms is None:
        # A run may know versions of the time that was lost.
        raise_version(post, entry, _MORE_THAN_WERE_LOST)
    return bool(unsure)


async def _open_sends(session: AsyncSession, posts: Sequence[Post]) -> set[str]:
    ids = [target.id for post in posts for target in post.targets]
    query = select(Attempt.target_id).where(Attempt.target_id == any_(literal(ids, ARRAY(Id))), _IS_OPEN_SEND)
    return set(await session.scalars(query))


async def _close_sends(session: AsyncSession, target_ids: Sequence[str], decision: str) -> None:
    query = select(Attempt.id).where(Attempt.target_id.in_(target_ids), _IS_OPEN_SEND)
    for attempt_id in list(await session.scalars(query)):
        await close_attempt(session, attempt_id, AttemptResult(AttemptState.UNCONFIRMED, decision, code=WORKER_LOST))


WorkflowOfPost = tuple[str, str, int]
"""The id of a post, that of its workflow, and a version above that of the post."""


async def delete_posts(
    session: AsyncSession, workspace_id: str, post_ids: Sequence[str], actor: Actor, **details: Any
) -> list[WorkflowOfPost]:
    """Delete locked posts; return those whose workflows are still to be told. `details` are for the audit trail."""
    with_workflow: list[WorkflowOfPost] = []
    for batch in batches(post_ids):
        targets: dict[str, list[dict[str, str]]] = {}
        named = select(Target.post_id, Target.platform, Target.account_id).where(Target.post_id.in_(batch))
        for post_id, platform, account_id in await session.execute(named.order_by(Target.position)):
            targets.setdefault(post_id, []).append({"platform": platform, "accountId": account_id})
        rows = select(Post.id, Post.workflow_id, Post.status, Post.version, Post.scheduled_for, Post.delivered_version)
        entries = []
        for row in await session.execute(rows.where(Post.id.in_(batch))):
            of_post = (
                ("workflowId", row.workflow_id),
                ("status", row.status),
                ("scheduledFor", rfc3339(row.scheduled_for) if row.scheduled_for else None),
                ("targets", targets.get(row.id, [])[:MOST_CHANGES]),
                *details.items(),
            )
            entries.append((workspace_id, row.id, AuditEntry(Action.DELETED, actor, details=of_post)))
            if row.status != PostStatus.DRAFT or row.delivered_version:
                with_workflow.append((row.id, row.workflow_id, row.version + 1))
        await add_entries(session, entries)
        await session.execute(delete(Post).where(Post.id.in_(batch)))
        announce(session, *batch)
    return with_workflow
