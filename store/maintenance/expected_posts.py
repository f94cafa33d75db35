"""The posts that platforms should show, in pages, for a doctor that can read all public posts there."""

from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import joinedload

from domain.attempts import UNANSWERED, AttemptState, AttemptStep
from domain.content import merge_settings
from domain.post import public_text, text_in_effect
from store.database import Database
from store.models import Attempt, Post, Target

_PAGE = 500
_TOWARDS = (AttemptStep.PREPARE, AttemptStep.PUBLISH)
"""Steps that belong to a send: a video's date is the beginning of its upload."""


@dataclass(frozen=True, slots=True)
class SendTimes:
    """The times of a target's sends, and whether a response is awaited."""

    first: datetime | None = None
    """When the first send began, including its uploads."""
    last: datetime | None = None
    """When the last send's response came, or now if it did not."""
    awaited: bool = False
    editing: bool = False
    """Whether an edit was begun whose effect is not known."""


@dataclass(frozen=True, slots=True)
class ExpectedPost:
    """A target with the post that its platform should show. `text` is content: for comparing, never for printing."""

    target: Target
    post: Post
    sends: SendTimes
    text: str = field(repr=False)
    sent_text: str = field(repr=False)
    """The text of the first send, before edits."""
    settings: dict[str, Any] = field(repr=False)

    @property
    def ids(self) -> set[str]:
        """Return the ids under which the post is or was public, if the row knows them."""
        versions = {str(version["platformPostId"]) for version in self.target.edit_history}
        return versions | ({self.target.platform_post_id} if self.target.platform_post_id else set())


async def expected_posts(database: Database) -> AsyncIterator[ExpectedPost]:
    """Yield every target of every post that is no draft."""
    last = ""
    while True:
        query = select(Target).where(Target.id > last).order_by(Target.id).limit(_PAGE)
        async with database.reading() as session:
            targets = list(await session.scalars(query.options(joinedload(Target.post))))
            ids = [target.id for target in targets]
            sent = (
                select(
                    Attempt.target_id,
                    func.min(Attempt.started_at).filter(Attempt.step.in_(_TOWARDS)),
                    func.max(func.coalesce(Attempt.finished_at, func.now())).filter(
                        Attempt.step == AttemptStep.PUBLISH
                    ),
                    func.bool_or((Attempt.step == AttemptStep.PUBLISH) & (Attempt.state == AttemptState.SENDING)),
                    func.bool_or((Attempt.step == AttemptStep.EDIT) & Attempt.state.in_(UNANSWERED)),
                )
                .where(Attempt.target_id.in_(ids))
                .group_by(Attempt.target_id)
            )
            sends = {row[0]: SendTimes(*row[1:]) for row in await session.execute(sent)}
        for target in targets:
            if target.post.due_at is not None:
                yield _expected_post(target, target.post, sends.get(target.id, SendTimes()))
        if len(targets) < _PAGE:
            return
        last = targets[-1].id


def _expected_post(target: Target, post: Post, sends: SendTimes) -> ExpectedPost:
    return ExpectedPost(
        target=target,
        post=post,
        sends=sends,
        text=public_text(target.edited_content, post.content, target.custom_content),
        sent_text=text_in_effect(post.content, target.custom_content),
        settings=merge_settings(target.platform, target.settings, post.tiktok_settings, post.facebook_settings),
    )
