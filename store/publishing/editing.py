"""The transactions of an edit of a published target."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime

from sqlalchemy import func, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from domain.attempts import UNANSWERED, WORKER_LOST, AttemptResult, AttemptState, AttemptStep, RevisionState
from domain.content import edit_bytes
from domain.ownership import last_moment
from domain.plan import Outcome
from domain.post import TargetStatus, public_text
from domain.schedule import rfc3339
from store.announcer import announce
from store.models import Attempt, Post, Revision, Target
from store.publishing.targets import LoadedTarget, close_attempt, load, still_sending, target_outcome
from store.rows import current_row

_LOST = "the worker was lost while sending; confirming on the platform before anything else"
_NOT_EDITABLE = "By what is known of it now, the post is not published, or its id is not known."
_RESULTS = "results"
"""In an edit's revision: the error code of each target that is done, null if the edit succeeded."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A refusal of an edit, in its platform's words."""

    message: str
    code: str


@dataclass(frozen=True, slots=True)
class Edit:
    """An edit, for one run of its activity."""

    loaded: LoadedTarget
    revision_id: str
    attempt_id: int
    """The attempt of the request that this run sends, or of the one that it must confirm first."""
    text: str
    platform_post_id: str
    left_by: datetime | None
    """The time by which an earlier run's request was sent, which may have made the edit; None if there is none."""
    refusal: Refusal | None = None
    """The refusal that the answer to that request claimed to be."""


async def begin_edit(session: AsyncSession, target_id: str, revision_id: str) -> Edit | None:
    """Write that an edit is about to be sent, unless an earlier request may have made it. Commit before sending.

    Returns None if there is nothing left to edit.
    """
    loaded = await load(session, target_id, lock=True)
    revision = await session.get(Revision, revision_id)
    if loaded is None or revision is None or revision.state != RevisionState.WAITING:
        return None
    if target_id in revision.body.get(_RESULTS, {}) or target_id not in revision.body["target_ids"]:
        return None
    if loaded.target.status != TargetStatus.PUBLISHED or loaded.target.platform_post_id is None:
        # A person has resolved the target otherwise since the edit was requested: requests that wait must be notified.
        await _close_revision(session, revision_id, target_id, _NOT_EDITABLE, "edit_not_supported")
        announce(session, loaded.post.id)
        return None
    earlier = await session.scalar(
        select(Attempt)
        .where(Attempt.target_id == target_id, Attempt.step == AttemptStep.EDIT, Attempt.state.in_(UNANSWERED))
        .order_by(Attempt.id.desc())
        .limit(1)
    )
    if earlier and earlier.state == AttemptState.SENDING:
        # The attempt's worker is lost or frozen. After this write, its request cannot be sent any more.
        await close_attempt(session, earlier.id, AttemptResult(AttemptState.UNCONFIRMED, _LOST, code=WORKER_LOST))
        await session.refresh(earlier)
    attempt = earlier or await _begun(session, target_id)
    return Edit(
        loaded=loaded,
        revision_id=revision_id,
        attempt_id=attempt.id,
        text=revision.body["content"],
        platform_post_id=loaded.target.platform_post_id,
        left_by=_left_by(earlier) if earlier else None,
        refusal=Refusal(earlier.claim["message"], earlier.code or "") if earlier and earlier.claim else None,
    )


async def begin_again(session: AsyncSession, edit: Edit) -> Edit | None:
    """Write that an edit is sent again, because the earlier request did certainly not make it. Commit before sending.

    Returns None if another run has done so meanwhile.
    """
    await _locked(session, edit)
    edits = (Attempt.target_id == edit.loaded.target.id, Attempt.step == AttemptStep.EDIT)
    if await session.scalar(select(func.max(Attempt.id)).where(*edits)) != edit.attempt_id:
        return None
    not_made = AttemptResult(AttemptState.REFUSED, "it was not made; it is sent again")
    await close_attempt(session, edit.attempt_id, not_made)
    attempt = await _begun(session, edit.loaded.target.id)
    return replace(edit, attempt_id=attempt.id, left_by=None, refusal=None)


async def _begun(session: AsyncSession, target_id: str) -> Attempt:
    attempt = Attempt(target_id=target_id, started_at=datetime.now(UTC))
    attempt.step, attempt.state = AttemptStep.EDIT, AttemptState.SENDING
    session.add(attempt)
    await session.flush()
    return attempt


def _left_by(attempt: Attempt) -> datetime:
    return last_moment(attempt.started_at, attempt.finished_at, worker_lost=attempt.code == WORKER_LOST)


async def settle_edit(
    session: AsyncSession,
    edit: Edit,
    platform_post_id: str,
    url: str | None,
    editable_until: datetime | None,
    result: AttemptResult,
) -> Outcome:
    """Move a target to its new version, and keep the old version in its history."""
    post, target = await _locked(session, edit)
    if post is None or target is None:
        return Outcome(status=TargetStatus.PUBLISHED, stale=True)
    if target.platform_post_id != platform_post_id:
        before = public_text(target.edited_content, post.content, target.custom_content)
        version = {
            "platformPostId": target.platform_post_id,
            "platformPostUrl": target.platform_post_url,
            "content": before,
            "editedAt": rfc3339(datetime.now(UTC)),
        }
        target.edit_history = [*target.edit_history, version]
        post.answer_bytes += edit_bytes(before, edit.text)
        target.platform_post_id = platform_post_id
        target.platform_post_url = url
        target.editable_until = editable_until or target.editable_until
        target.edited_content = edit.text
    post.updated_at = datetime.now(UTC)
    await close_attempt(session, edit.attempt_id, result)
    await _close_revision(session, edit.revision_id, edit.loaded.target.id)
    announce(session, post.id)
    return target_outcome(target)


async def refuse_edit(session: AsyncSession, edit: Edit, error: str, code: str, result: AttemptResult) -> Outcome:
    """Save that the platform did certainly not make the edit."""
    await close_attempt(session, edit.attempt_id, result)
    await _close_revision(session, edit.revision_id, edit.loaded.target.id, error, code)
    announce(session, edit.loaded.post.id)
    return target_outcome(edit.loaded.target).model_copy(update={"error_code": code})


async def put_off_edit(session: AsyncSession, edit: Edit, result: AttemptResult) -> Outcome:
    """Save why a run of an edit did not end it: the platform refused it for now, or it may have been made.

    If it could not be confirmed, it stays unconfirmed, with its age. An attempt that another run has closed stays
    closed.
    """
    if edit.left_by is not None:
        values = {"decision": result.decision, "next_attempt_at": result.next_attempt_at}
        await session.execute(update(Attempt).where(Attempt.id == edit.attempt_id).values(**values))
    elif await still_sending(session, edit.attempt_id):
        await close_attempt(session, edit.attempt_id, result)
    return target_outcome(edit.loaded.target)


async def _locked(session: AsyncSession, edit: Edit) -> tuple[Post | None, Target | None]:
    post = await current_row(session, Post, edit.loaded.post.id, lock=True)
    target = await current_row(session, Target, edit.loaded.target.id)
    return post, target


async def _close_revision(
    session: AsyncSession, revision_id: str, target_id: str, error: str | None = None, code: str | None = None
) -> None:
    """Save a target's result in the revision; the revision is settled once every target that it names has a result."""
    revision = await current_row(session, Revision, revision_id)
    if revision is None or revision.state != RevisionState.WAITING:
        return
    results = {**revision.body.get(_RESULTS, {}), target_id: code}
    revision.body = {**revision.body, _RESULTS: results}
    if code is not None:
        revision.error, revision.error_code = error, code
    if set(results) >= set(revision.body["target_ids"]):
        revision.state = RevisionState.REFUSED if revision.error_code else RevisionState.APPLIED
        # The target's row has the new text from now on; the revision no longer needs it.
        revision.body = {name: value for name, value in revision.body.items() if name != "content"}
