"""The transactions of an edit of a published target."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.outcome import Outcome
from domain.post import TargetStatus, text_in_effect
from domain.schedule import rfc3339
from domain.size import edit_bytes
from store.models import Attempt, Post, Revision, Target
from store.outcomes import announce
from store.publishing import Job, Note, close_attempt, load, outcome_of

_RESULTS = "results"
"""In an edit's revision: the error code of each target that is done, null where it went well."""


@dataclass(frozen=True, slots=True)
class Edit:
    """Hold an edit as one run of its activity works on it."""

    job: Job
    revision_id: str
    attempt_id: int
    text: str
    platform_post_id: str
    unclear: bool
    """An earlier run may have made the edit already."""
    started_at: datetime


async def begin_edit(session: AsyncSession, target_id: str, revision_id: str) -> Edit | None:
    """Write that an edit is about to be sent; None where there is nothing (more) to edit. Commit before sending."""
    job = await load(session, target_id, lock=True)
    revision = await session.get(Revision, revision_id)
    if job is None or revision is None or job.target.status != TargetStatus.PUBLISHED:
        return None
    done = target_id in revision.body.get(_RESULTS, {}) or target_id not in revision.body["target_ids"]
    if done or revision.state != "waiting" or job.target.platform_post_id is None:
        return None
    earlier = await session.scalar(
        select(Attempt)
        .where(Attempt.target_id == target_id, Attempt.step == "edit", Attempt.state.in_(["sending", "unclear"]))
        .order_by(Attempt.id.desc())
        .limit(1)
    )
    attempt = earlier
    if attempt is None:
        attempt = Attempt(target_id=target_id, step="edit", state="sending", started_at=datetime.now(UTC))
        session.add(attempt)
        await session.flush()
    return Edit(
        job=job,
        revision_id=revision_id,
        attempt_id=attempt.id,
        text=revision.body["content"],
        platform_post_id=job.target.platform_post_id,
        unclear=earlier is not None,
        started_at=attempt.started_at,
    )


async def settle_edit(
    session: AsyncSession,
    edit: Edit,
    platform_post_id: str,
    url: str | None,
    editable_until: datetime | None,
    note: Note,
) -> Outcome:
    """Move a target to its new version and keep the old one in its history."""
    post, target = await _locked(session, edit)
    if post is None or target is None:
        return Outcome(status=TargetStatus.PUBLISHED, stale=True)
    if target.platform_post_id != platform_post_id:
        before = target.content if target.content is not None else text_in_effect(post.content, target.custom_content)
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
        target.content = edit.text
    post.updated_at = datetime.now(UTC)
    await close_attempt(session, edit.attempt_id, note)
    await _close_revision(session, edit)
    await announce(session, post.id)
    return outcome_of(target)


async def refuse_edit(session: AsyncSession, edit: Edit, error: str, code: str, note: Note) -> Outcome:
    """Write down that the network surely did not make the edit."""
    await close_attempt(session, edit.attempt_id, note)
    await _close_revision(session, edit, error, code)
    await announce(session, edit.job.post.id)
    return outcome_of(edit.job.target).model_copy(update={"error_code": code})


async def still_unclear(session: AsyncSession, edit: Edit, note: Note) -> Outcome:
    """Write down that the edit may have been made; a refusal that is tried again leaves nothing open."""
    await close_attempt(session, edit.attempt_id, note)
    return outcome_of(edit.job.target)


async def _locked(session: AsyncSession, edit: Edit) -> tuple[Post | None, Target | None]:
    post = await session.get(Post, edit.job.post.id, with_for_update=True, populate_existing=True)
    target = await session.get(Target, edit.job.target.id, populate_existing=True)
    return post, target


async def _close_revision(session: AsyncSession, edit: Edit, error: str | None = None, code: str | None = None) -> None:
    """Note a target's result in the revision; it is settled once every target it names has one."""
    revision = await session.get(Revision, edit.revision_id, populate_existing=True)
    if revision is None or revision.state != "waiting":
        return
    results = {**revision.body.get(_RESULTS, {}), edit.job.target.id: code}
    revision.body = {**revision.body, _RESULTS: results}
    if code is not None:
        revision.error, revision.error_code = error, code
    if set(results) >= set(revision.body["target_ids"]):
        revision.state = "refused" if revision.error_code else "applied"
        # The text stands in the target from now on; nobody reads it here again.
        revision.body = {name: value for name, value in revision.body.items() if name != "content"}
