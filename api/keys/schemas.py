"""The bodies and answers of API keys."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from api.http.moments import require_moment
from api.posts.bodies.schemas import Name, RequestModel
from api.views import HasMore, Moment, NextCursor, described, view
from domain.api_keys import Scope
from domain.errors import InvalidRequest, Problem

LONGEST_LIFE_DAYS = 3650
LONGEST_OVERLAP_H = 168
MOST_A_MINUTE = 6_000_000
"""As many as the settings take."""

ScopeName = Literal["read", "write", "accounts", "webhooks", "keys"]
_SCOPES = (
    "What the key may do. `read`: read everything, and validate posts. `write`: create, change, retry, pause and "
    "delete posts, campaigns and what belongs to them. `accounts`: connect and remove accounts. `webhooks`: manage "
    "webhooks. `keys`: manage keys that may do no more than this one."
)
_RATE = described("Requests a minute that it may make; null: as many as all keys, 0: any number.", 120)
_KEY_ID = described(
    "The key's id, which opens nothing; logs and histories name it.", "key_019bc10e51307c4f8d2b7f3a6c0e"
)


class KeyBody(RequestModel):
    """The name, the scopes and the life of a new key."""

    model_config = ConfigDict(title="CreateKey")

    name: Name = Field(description="What the key is for.", examples=["Newsroom"])
    scopes: list[ScopeName] = Field(
        ["read", "write"],
        min_length=1,
        max_length=len(Scope),
        description=_SCOPES + " The caller's key must have them all.",
        examples=[["read", "write"]],
    )
    expires_in_days: int | None = Field(None, ge=1, le=LONGEST_LIFE_DAYS, examples=[90])
    """Days until it expires; by default it expires with the caller's key, or never if that does not."""
    expires_at: Annotated[str, Field(max_length=40)] | None = Field(None, examples=["2030-12-03T10:00:00Z"])
    """When it expires, in place of `expiresInDays`: an ISO 8601 date and time, in UTC by default."""
    rate_per_minute: int | None = Field(None, ge=1, le=MOST_A_MINUTE, examples=[120])
    """Requests a minute that it may make; by default, and at most, as many as the caller's key."""


def read_expiry(in_days: int | None, at: str | None) -> datetime | None:
    """Return when a new key expires; None if neither says. Raises InvalidRequest."""
    now, sentence = datetime.now(UTC), ""
    if at is None:
        return None if in_days is None else now + timedelta(days=in_days)
    end = require_moment("expiresAt", at, "UTC")
    if in_days is not None:
        sentence = "Send expiresAt or expiresInDays, not both"
    elif not now < end <= now + timedelta(days=LONGEST_LIFE_DAYS):
        sentence = f"expiresAt must be ahead, at most {LONGEST_LIFE_DAYS:,} days"
    if sentence:
        raise InvalidRequest(Problem(sentence, "invalid_field_value", "expiresAt"))
    return end


class RotationBody(RequestModel):
    """The time for which the old key stays valid."""

    model_config = ConfigDict(title="RotateKey")

    overlap_hours: int = Field(24, ge=0, le=LONGEST_OVERLAP_H, examples=[24])
    """Hours for which the old key stays valid beside the new one."""


@view("ApiKey")
class KeyView(TypedDict):
    """A key, without the key itself."""

    id: Annotated[str, _KEY_ID]
    prefix: Annotated[str, described("Its first characters, by which its owner recognizes it.", "sk_4fG7q2")]
    name: Annotated[str, described("What it is for.", "Newsroom")]
    scopes: Annotated[list[Scope], described(_SCOPES, ["read", "write"])]
    createdAt: Annotated[Moment, described("When it was created.")]
    lastUsedAt: Annotated[Moment | None, described("Its last use, up to a minute behind.")]
    expiresAt: Annotated[Moment | None, described("When it ends; null: never.")]
    revokedAt: Annotated[Moment | None, described("When it was revoked; null: it is not.")]
    replacedBy: Annotated[str | None, described("The id of the key that replaces it until it ends.", None)]
    ratePerMinute: Annotated[int | None, _RATE]


@view("NewApiKey")
class NewKeyView(TypedDict):
    """A new key. This answer alone has the key itself."""

    id: Annotated[str, _KEY_ID]
    key: Annotated[str, described("The key. It is shown once, and cannot be read again.", "sk_…")]
    name: Annotated[str, described("What it is for.", "Newsroom")]
    scopes: Annotated[list[Scope], described(_SCOPES, ["read", "write"])]
    expiresAt: Annotated[Moment | None, described("When it ends; null: never.")]
    ratePerMinute: Annotated[int | None, _RATE]


@view("ApiKeyList")
class KeyPageView(TypedDict):
    """One page of keys."""

    keys: Annotated[list[KeyView], described("The newest first, revoked and expired ones included.")]
    cursor: Annotated[NextCursor, Field(examples=["eyJpZCI6ImtleV8wMTlhIn0="])]
    hasMore: Annotated[HasMore, Field(examples=[False])]


@view("CallerWorkspace")
class CallerWorkspaceView(TypedDict):
    """The workspace for which a key speaks."""

    id: Annotated[str, described("The workspace's id.", "ws_0123456789ab")]
    name: Annotated[str, described("The workspace's name.", "Newsroom")]


@view("CallerKey")
class CallerKeyView(TypedDict):
    """The key of a request."""

    id: Annotated[str, _KEY_ID]
    name: Annotated[str, described("What it is for.", "Newsroom")]
    scopes: Annotated[list[Scope], described(_SCOPES, ["read", "write"])]
    expiresAt: Annotated[Moment | None, described("When it ends; null: never.")]


@view("RemainingLimit")
class LimitView(TypedDict):
    """A limit, and the part of it that is left."""

    limit: Annotated[int, described("What may be used in a minute.", 600)]
    burst: Annotated[int, described("What may be used at once, if nothing was used before; at least `limit`.", 600)]
    remaining: Annotated[int, described("What is left now, at most `burst`.", 598)]
    resetAt: Annotated[Moment, described("When all of it is left, if nothing is used meanwhile.")]


@view("CallerLimits")
class CallerLimitsView(TypedDict):
    """The limits of a minute; null: there is none."""

    requests: Annotated[LimitView | None, described("Requests of the key.", None)]
    posts: Annotated[LimitView | None, described("Posts that the workspace creates or changes.", None)]


@view("Usage")
class UsageView(TypedDict):
    """A number that the workspace has, and its limit."""

    used: Annotated[int, described("What it has; it may be some minutes old.", 412)]
    limit: Annotated[int | None, described("What it may have; null: any number.", 100_000)]


@view("WorkspaceUsage")
class WorkspaceUsageView(TypedDict):
    """The usage of what is limited in a workspace."""

    openPosts: Annotated[UsageView, described("Posts that are drafts, scheduled or being published.")]
    posts: Annotated[UsageView, described("All posts.")]
    bytes: Annotated[UsageView, described("The bytes of all posts, as answers show them.")]
    accounts: Annotated[UsageView, described("Connected accounts.")]
    media: Annotated[UsageView, described("The bytes of uploaded files and of uploads that have begun.")]


@view("Caller")
class CallerView(TypedDict):
    """The key of a request, and the usage of its workspace."""

    workspace: CallerWorkspaceView
    key: CallerKeyView
    limits: CallerLimitsView
    usage: WorkspaceUsageView
    version: Annotated[str, described("The version of this API.", "0.2.0")]
