"""The transactions of one target while it is published, its content, and its log of attempts.

Every change locks the post's row first, so that targets of one post settle one after the other, and the post's status
always follows from its targets. The writes that every post needs are in `store.publishing.sending`;
`store.posts.changes` changes the request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import and_, bindparam, func, or_, select, text, true, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased
from sqlalchemy.orm.attributes import set_committed_value

from domain.attempts import UNANSWERED, AttemptResult, AttemptState, AttemptStep
from domain.audit import AuditEntry
from domain.content import merge_settings
from domain.ownership import RowState
from domain.plan import STALE, Outcome
from domain.post import ErrorCategory, HoldReason, Media, PostStatus, TargetStatus, media_in_effect, text_in_effect
from domain.transitions import NO_FAILURE
from store.announcer import announce
from store.audit import add_entry
from store.models import Account, Attempt, Post, Target
from store.pauses.gates import is_stopped
from store.rows import count_rows, current_row


def content_to_send(post: Post, target: Target) -> tuple[str, list[Media], dict[str, Any]]:
    """Return text, media and settings of a target."""
    own_media = None if target.custom_media is None else [Media.model_validate(item) for item in target.custom_media]
    return (
        text_in_effect(post.content, target.custom_content),
        media_in_effect([Media.model_validate(item) for item in post.media_items], own_media),
        merge_settings(target.platform, target.settings, post.tiktok_settings, post.facebook_settings),
    )


@dataclass(frozen=True, slots=True)
class LoadedTarget:
    """A target with its post, its account and its last send, as one step has loaded them."""

    post: Post
    target: Target
    account: Account | None
    sent: Attempt | None
    """The last request to make this target public."""
    sent_since: datetime | None
    """When the first request was sent that may have made it public; None if no such request was sent."""
    must_confirm: bool
    """Whether its platform must be asked for it before it is sent again: a send may have had its effect, and neither
    the platform nor a person has been asked since, or since a retry."""
    is_paused: bool
    """Whether a closed gate stops it. Read without a lock, to save work: `begin_send` decides."""

    @property
    def is_free(self) -> bool:
        """Return whether the log and the status let the target be sent: no send of it is open, and it has no result."""
        is_open = self.sent is not None and self.sent.state == AttemptState.SENDING
        return TargetStatus(self.target.status).is_unsent and not is_open

    @property
    def waits_for_pause(self) -> bool:
        """Return whether a closed gate stops it, or one did and nothing has lifted its hold yet."""
        return self.is_paused or self.target.hold_reason == HoldReason.PAUSED

    @property
    def outcome(self) -> Outcome:
        """Return the state of the target for its workflow."""
        return target_outcome(self.target)

    @property
    def row(self) -> RowState:
        """Return the state of the row that decides whether something may be sent."""
        return RowState(PostStatus(self.post.status), self.post.version, self.post.due_at)


EARLIER = "earlier"
"""The key, in a target's handles, of the handles with which it was sent before it was prepared again."""
UNSENT = "unsent"
"""The key, in a target's handles, that says that nothing was sent with them: `EARLIER` has those of the last send."""

_OUTCOME_COLUMNS = (
    *("status", "confirming", "platform_post_id", "platform_post_url", "editable_until"),
    *("error_code", "error_category", "hold_reason", "next_attempt_at"),
)


def target_outcome(target: Target) -> Outcome:
    """Return the state of a target's row for its workflow."""
    return read_outcome({name: getattr(target, name) for name in _OUTCOME_COLUMNS})


def read_outcome(row: Mapping[str, Any]) -> Outcome:
    """Return the state of a target for its workflow, from a mapping of its columns."""
    status = TargetStatus(row["status"])
    return Outcome(
        status=status,
        confirming=row["confirming"],
        platform_post_id=row["platform_post_id"],
        platform_post_url=row["platform_post_url"],
        editable_until=row["editable_until"],
        error_code=row["error_code"],
        hold_reason=HoldReason(row["hold_reason"]) if row["hold_reason"] else None,
        error_category=ErrorCategory(row["error_category"]) if row["error_category"] else None,
        resumes_at=row["next_attempt_at"] if status.may_have_a_time else None,
    )


_SENDS = select(Attempt).where(Attempt.target_id == Target.id, Attempt.step == AttemptStep.PUBLISH).correlate(Target)
_LastSend = aliased(Attempt, _SENDS.order_by(Attempt.id.desc()).limit(1).lateral("last_send"))
_LEFT = _SENDS.where(or_(Attempt.request_sent, Attempt.state.in_(UNANSWERED)))
_SENT_SINCE = _LEFT.with_only_columns(func.min(Attempt.started_at)).scalar_subquery().label("sent_since")
_Check = aliased(Attempt)
# A retry sets a later `due_at`. A person's decision counts from then on, too.
_checked = (
    select(_Check.id)
    .where(
        _Check.target_id == Attempt.target_id,
        _Check.id > Attempt.id,
        or_(
            _Check.step == AttemptStep.RESOLVE,
            and_(
                _Check.step == AttemptStep.CONFIRM,
                _Check.state == AttemptState.DONE,
                _Check.finished_at >= Target.due_at,
            ),
        ),
    )
    .correlate(Attempt, Target)
    .exists()
)
_MUST_CONFIRM = _LEFT.where(~_checked).exists().label("must_confirm")
_IS_PAUSED = is_stopped().label("is_paused")
LOADED_TARGET = (
    select(Post, Target, Account, _LastSend, _SENT_SINCE, _MUST_CONFIRM, _IS_PAUSED)
    .join(Target, Target.post_id == Post.id)
    .outerjoin(
        Account,
        (Account.workspace_id == Target.workspace_id)
        & (Account.id == Target.account_id)
        & (Account.platform == Target.platform),
    )
    .outerjoin(_LastSend, true())
)
"""Selects the columns of a `LoadedTarget`, for every target; built once, because that costs as much as running it."""
_REFRESH = text("SELECT status, published_at, moving FROM refresh_post_v1(:post_id, :now)")
_LOAD = LOADED_TARGET.where(Target.id == bindparam("target_id"))
_LOCK = select(Post.id).join(Target, Target.post_id == Post.id).where(Target.id == bindparam("target_id"))


async def load(session: AsyncSession, target_id: str, *, lock: bool = False) -> LoadedTarget | None:
    """Return a target's rows, None if they are gone; `lock` locks the post until the transaction ends."""
    if lock:
        # A statement of its own: a single statement would not see the attempts that were written while it waited for
        # the lock.
        await session.execute(_LOCK.with_for_update(of=Post), {"target_id": target_id})
    row = (await session.execute(_LOAD, {"target_id": target_id})).one_or_none()
    return LoadedTarget(*row) if row else None


async def count_unconfirmed_sends(session: AsyncSession, target_id: str) -> int:
    """Return how many sends of a target have ended without a response that was understood."""
    unconfirmed = (Attempt.step == AttemptStep.PUBLISH, Attempt.state == AttemptState.UNCONFIRMED)
    return await count_rows(session, Attempt.target_id == target_id, *unconfirmed)


async def save_media_changes(session: AsyncSession, target_id: str, changes: list[dict[str, Any]]) -> None:
    """Save the changes to a target's media before its platform got them."""
    await session.execute(update(Target).where(Target.id == target_id).values(media_changes=changes))


def finished_step(target_id: str, step: AttemptStep, started_at: datetime, result: AttemptResult) -> Attempt:
    """Return the line of the attempt log for a step that is over."""
    return Attempt(target_id=target_id, step=step, started_at=started_at, **_result_columns(result))


async def close_attempt(session: AsyncSession, attempt_id: int, result: AttemptResult) -> None:
    """Write the result of an attempt. An attempt whose rows were lost keeps the time by which it had ended."""
    columns = _result_columns(result)
    ended = func.coalesce(Attempt.finished_at, columns.pop("finished_at"))
    await session.execute(update(Attempt).where(Attempt.id == attempt_id).values(**columns, finished_at=ended))


async def still_sending(session: AsyncSession, attempt_id: int) -> bool:
    """Return whether an attempt is still open. Its post's row must be locked."""
    query = select(Attempt.id).where(Attempt.id == attempt_id, Attempt.state == AttemptState.SENDING)
    return await session.scalar(query) is not None


def _result_columns(result: AttemptResult) -> dict[str, Any]:
    """Return the columns of an attempt that is over."""
    return {
        "state": result.state,
        "finished_at": datetime.now(UTC),
        "http_status": result.http_status,
        "code": result.code,
        "request_id": result.request_id,
        "decision": result.decision,
        "next_attempt_at": result.next_attempt_at,
        "request_sent": result.request_sent,
        "claim": result.claim.as_json() if result.claim else None,
    }


async def add_details(
    session: AsyncSession, target_id: str, known_as: str, platform_post_id: str, url: str | None, warning: str | None
) -> Outcome:
    """Save the details of a target that is public: its id, too, unless an edit has changed it meanwhile."""
    its_post = select(Target.post_id).where(Target.id == target_id).scalar_subquery()
    await session.execute(update(Post).where(Post.id == its_post).values(updated_at=datetime.now(UTC)))
    target = await current_row(session, Target, target_id, lock=True)
    if target is None:
        return STALE
    if target.platform_post_id == known_as:
        target.platform_post_id = platform_post_id
    target.platform_post_url = url or target.platform_post_url
    target.warning = warning
    return target_outcome(target)


async def refresh_post(session: AsyncSession, post: Post) -> None:
    """Update a locked post's own columns from its targets, and wake the requests that wait for it."""
    await session.flush()
    now = datetime.now(UTC)
    status, published_at, moving = (await session.execute(_REFRESH, {"post_id": post.id, "now": now})).one()
    if not moving:
        announce(session, post.id)
    for name, value in (("status", status), ("published_at", published_at), ("updated_at", now)):
        set_committed_value(post, name, value)


def set_aside(handles: dict[str, Any]) -> dict[str, Any]:
    """Return a target's handles for another preparation: those of the last send only serve to confirm it."""
    if UNSENT in handles:
        return {EARLIER: handles[EARLIER]}
    prepared = {name: value for name, value in handles.items() if name != EARLIER}
    return {EARLIER: prepared} if prepared else handles


def forget_error(target: Target) -> None:
    """Clear the last failure from a target's row, and the warning, too, if the target is not public."""
    for name, value in NO_FAILURE.items():
        if name != "warning" or target.status != TargetStatus.PUBLISHED:
            setattr(target, name, value)


def wait_from(target: Target, due_at: datetime | None) -> None:
    """Set the time from which a target waits for a worker; None for a draft's target."""
    if due_at != target.due_at:
        target.preflight_code = None
    target.due_at, target.begun_at, target.preflight_at = due_at, None, None


def raise_version(post: Post, entry: AuditEntry | None, by: int = 1) -> None:
    """Raise a locked post's version, which is delivered to its workflow.

    `entry` says in the audit trail who made the change; None if the trail has it from an earlier try.
    """
    post.version += by
    post.next_delivery_at, post.delivery_attempts = None, 0
    if entry is not None:
        add_entry(post, replace(entry, details=(("version", post.version), *entry.details)))


async def list_attempts(
    session: AsyncSession, post_id: str, limit: int = 100, after_id: int = 0
) -> list[tuple[Attempt, Target]]:
    """Return up to `limit` steps of a post's targets, oldest first, that come after the step `after_id`."""
    query = (
        select(Attempt, Target)
        .join(Target, Target.id == Attempt.target_id)
        .where(Target.post_id == post_id, Attempt.id > after_id)
        .order_by(Attempt.id)
        .limit(limit)
    )
    return [(row.Attempt, row.Target) for row in await session.execute(query)]


async def most_attempts(session: AsyncSession, target_ids: Sequence[str]) -> int:
    """Return the largest number of steps that any of these targets has."""
    counts = select(func.count()).where(Attempt.target_id.in_(target_ids)).group_by(Attempt.target_id)
    return max(await session.scalars(counts), default=0)
