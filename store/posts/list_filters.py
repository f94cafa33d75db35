"""A list of posts as a client asks for it, and its shape: its conditions without their values."""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import ARRAY, BindParameter, Integer, Text, bindparam

from domain.ids import first_id, last_id
from domain.post import PostStatus, TargetStatus
from store.models import ImportedPost, Post, Target


class Order(StrEnum):
    """The order of a list. Posts without a `scheduledFor` are not in the list that is sorted by it."""

    CREATED = "createdAt"
    """Newest first."""
    SCHEDULED = "scheduledFor"
    """Soonest first."""
    UPDATED = "updatedAt"
    """The longest unchanged first."""


@dataclass(frozen=True, slots=True)
class Position:
    """The position of a post in a list: its id and, unless the list is sorted by that, its sort key."""

    id: str
    at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Filter:
    """The conditions of a list. Times are inclusive; `after` is the end of the previous page.

    A post is in the list if it has one of the statuses, or a target with one of the target statuses. It must have all
    of the tags.
    """

    statuses: tuple[PostStatus, ...] = ()
    target_statuses: tuple[TargetStatus, ...] = ()
    platform: str | None = None
    account_id: str | None = None
    external_id: str | None = None
    campaign_id: str | None = None
    series_id: str | None = None
    import_id: str | None = None
    """An import that has created or changed the post."""
    platform_post_ids: tuple[str, ...] = ()
    """The ids on platforms of which one of its targets must have one; empty for any."""
    tags: tuple[str, ...] = ()
    created_from: datetime | None = None
    created_to: datetime | None = None
    scheduled_from: datetime | None = None
    scheduled_to: datetime | None = None
    updated_since: datetime | None = None
    order: Order = Order.CREATED
    after: Position | None = None
    now: datetime = field(default_factory=lambda: datetime.now(UTC), repr=False)
    """A scheduled post that is due by this time counts as one that is being published (`domain.post.status_shown`)."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The conditions of a list without their values. Lists of one shape have the same queries."""

    statuses: tuple[PostStatus, ...]
    target_statuses: tuple[TargetStatus, ...]
    tags: int
    order: Order
    parameters: frozenset[str]
    """The names of the parameters that have a value."""


_TYPES = {
    "workspace_id": Post.workspace_id.type,
    "platform": Target.platform.type,
    "account_id": Target.account_id.type,
    "external_id": Post.external_id.type,
    "campaign_id": Post.campaign_id.type,
    "series_id": Post.series_id.type,
    "import_id": ImportedPost.import_id.type,
    "platform_post_ids": ARRAY(Text()),
    "tags": Post.tags.type,
    **dict.fromkeys(("first_id", "last_id", "after_id"), Post.id.type),
    **dict.fromkeys(
        ("scheduled_from", "scheduled_to", "updated_since", "after_at", "now"),
        Post.updated_at.type,
    ),
    "count": Integer(),
}
PARAMETERS: dict[str, BindParameter[Any]] = {name: bindparam(name, type_=kind) for name, kind in _TYPES.items()}


def shape_and_values(workspace_id: str, conditions: Filter, count: int) -> tuple[Shape, dict[str, Any]]:
    """Return the shape of a list of at most `count` posts, and the values of its queries' parameters."""
    optional = {
        "platform": conditions.platform or None,
        "account_id": conditions.account_id or None,
        "external_id": conditions.external_id,
        "campaign_id": conditions.campaign_id,
        "series_id": conditions.series_id,
        "import_id": conditions.import_id,
        "platform_post_ids": list(conditions.platform_post_ids) or None,
        "first_id": first_id("post", conditions.created_from) if conditions.created_from else None,
        "last_id": last_id("post", conditions.created_to) if conditions.created_to else None,
        "scheduled_from": conditions.scheduled_from,
        "scheduled_to": conditions.scheduled_to,
        "updated_since": conditions.updated_since,
        "after_id": conditions.after.id if conditions.after else None,
    }
    named = {name: value for name, value in optional.items() if value is not None}
    shape = Shape(
        conditions.statuses,
        conditions.target_statuses,
        len(conditions.tags),
        conditions.order,
        parameters=frozenset(named),
    )
    others = {
        "workspace_id": workspace_id,
        "now": conditions.now,
        "count": count,
        "tags": list(conditions.tags),
        "after_at": conditions.after.at if conditions.after else None,
    }
    return shape, named | others | {tag_parameter(number): tag for number, tag in enumerate(conditions.tags)}


def tag_parameter(number: int) -> str:
    """Return the name of the parameter for one of the tags."""
    return f"tag_{number}"
