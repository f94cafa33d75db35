"""Conversions between a client's request for a post and the rows that keep it."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from domain.attempts import AttemptResult, AttemptState, AttemptStep
from domain.audit import Action, Actor, AuditEntry, FieldChange, changes_between
from domain.content import PostContent, TargetContent, answer_bytes
from domain.ids import new_id
from domain.post import OPEN, Media, PostStatus, TargetStatus
from store.models import Attempt, Post, Target
from store.publishing.targets import finished_step, forget_error, raise_version, set_aside, wait_from


def _json(media: list[Media]) -> list[dict[str, Any]]:
    return [item.model_dump(mode="json", exclude_none=True) for item in media]


_SAME = tuple(name for name in PostContent.model_fields if name not in {"media_items", "targets"})
"""Fields of the content whose columns have the same name and value."""


def _content_columns(content: PostContent) -> dict[str, Any]:
    return {
        **{name: getattr(content, name) for name in _SAME},
        "media_items": _json(content.media_items),
        "answer_bytes": answer_bytes(content),
    }


def _target_columns(target: TargetContent, position: int) -> dict[str, Any]:
    return {
        "position": position,
        "custom_content": target.custom_content,
        "custom_media": None if target.custom_media is None else _json(target.custom_media),
        "settings": target.settings,
    }


@dataclass(frozen=True, slots=True)
class NewPost:
    """The columns of a post that is not in the database yet, and those of its targets."""

    columns: dict[str, Any]
    targets: list[dict[str, Any]]

    def as_post(self) -> Post:
        """Return it as models."""
        return Post(**self.columns, targets=[Target(**target) for target in self.targets])


def _new_target(
    post_id: str, workspace_id: str, target: TargetContent, position: int, due_at: datetime | None
) -> dict[str, Any]:
    return {
        "id": new_id("tgt"),
        "post_id": post_id,
        "workspace_id": workspace_id,
        "platform": target.platform,
        "account_id": target.account_id,
        "status": TargetStatus.PENDING.value,
        "due_at": due_at,
        "confirming": False,
        "handles": {},
        "media_changes": [],
        "edit_history": [],
        **_target_columns(target, position),
    }


def new_columns(
    post_id: str,
    workspace_id: str,
    workflow_id: str,
    content: PostContent,
    *,
    status: PostStatus,
    due_at: datetime | None,
    now: datetime,
    external_digest: str | None = None,
    created_by: str | None = None,
) -> NewPost:
    """Return the columns of a post with its targets; `created_by` is the id of an API key."""
    columns = {
        "id": post_id,
        "workspace_id": workspace_id,
        "workflow_id": workflow_id,
        "status": status.value,
        "due_at": due_at,
        "external_digest": external_digest,
        "queue_id": None,
        "created_by": created_by,
        "version": 1,
        "delivered_version": 0,
        "delivery_attempts": 0,
        "created_at": now,
        "updated_at": now,
        **_content_columns(content),
    }
    return NewPost(
        columns,
        [_new_target(post_id, workspace_id, target, at, due_at) for at, target in enumerate(content.targets)],
    )


def post_content(post: Post) -> PostContent:
    """Return the client's request as the rows contain it."""
    return PostContent(
        **{name: getattr(post, name) for name in _SAME},
        media_items=[Media.model_validate(item) for item in post.media_items],
        targets=[
            TargetContent(
                platform=target.platform,
                account_id=target.account_id,
                custom_content=target.custom_content,
                custom_media=None
                if target.custom_media is None
                else [Media.model_validate(item) for item in target.custom_media],
                settings=target.settings,
            )
            for target in post.targets
        ],
    )


def rewrite(
    post: Post,
    content: PostContent,
    actor: Actor,
    *,
    status: PostStatus,
    due_at: datetime | None,
    now: datetime,
    **details: Any,
) -> None:
    """Replace a locked post's content and time; a target of the same account keeps its id.

    `details` are for the audit trail.
    """
    changes = changes_between(post_content(post), content)
    if post.status != status:
        changes += (FieldChange("status", post.status, status.value),)
    raise_version(post, AuditEntry(Action.CHANGED, actor, changes, details=tuple(details.items())))
    same_time = post.due_at == due_at
    for name, value in _content_columns(content).items():
        setattr(post, name, value)
    if post.status in OPEN and due_at is None:
        # A workflow that misses the message would read the row only when it wakes: the sweep repeats it.
        post.next_delivery_at = now
    if status is not PostStatus.DRAFT or content.after_post_id is not None:
        post.skip_reason = None
    post.status, post.due_at, post.updated_at = status.value, due_at, now
    staying = {(target.platform, target.account_id): target for target in post.targets}
    targets: list[Target] = []
    for position, target_content in enumerate(content.targets):
        target = staying.get((target_content.platform, target_content.account_id))
        if target is None:
            target = Target(**_new_target(post.id, post.workspace_id, target_content, position, due_at))
        else:
            # A held target that is tried again has its own due time.
            _reset(target, target_content, position, target.due_at if same_time else due_at)
        targets.append(target)
    post.targets = targets


def _reset(target: Target, target_content: TargetContent, position: int, due_at: datetime | None) -> None:
    columns = _target_columns(target_content, position)
    if any(getattr(target, name) != value for name, value in columns.items()):
        # The platform's handles (uploads, containers) were built from the old content.
        target.handles, target.media_changes = set_aside(target.handles), []
    if target.status == TargetStatus.HELD:
        forget_error(target)
        target.status = TargetStatus.PENDING.value
    # The reason of the warning may be gone; if not, preparing finds it again.
    target.warning = None
    wait_from(target, due_at)
    for name, value in columns.items():
        setattr(target, name, value)


def correct(post: Post, content: PostContent, actor: Actor, changed: Collection[str], now: datetime) -> list[Attempt]:
    """Replace the content of a locked post whose publishing has begun; its targets stay the same.

    `changed`: the ids of the targets whose content changes. Returns the lines for the attempt log.
    """
    raise_version(post, AuditEntry(Action.CORRECTED, actor, changes_between(post_content(post), content)))
    # Earlier versions of an edited post count, too.
    growth = post.answer_bytes - answer_bytes(post_content(post))
    for name, value in _content_columns(content).items():
        setattr(post, name, value)
    post.answer_bytes += growth
    post.updated_at = now
    rows = {(target.platform, target.account_id): target for target in post.targets}
    for target_content in content.targets:
        target = rows[target_content.platform, target_content.account_id]
        for name, value in _target_columns(target_content, target.position).items():
            setattr(target, name, value)
        if target.id in changed:
            target.handles, target.media_changes = set_aside(target.handles), []
            if target.status == TargetStatus.FAILED:
                target.retryable = True
    note = AttemptResult(AttemptState.DONE, "its owner has changed what it sends")
    return [finished_step(target_id, AttemptStep.CORRECT, now, note) for target_id in changed]
