"""A post's history, and the posts that were deleted, as clients read them."""

from collections.abc import Sequence
from typing import Annotated, NotRequired, cast

from pydantic import Field
from typing_extensions import TypedDict

from api.dependencies import Dependencies
from api.posts.answers.actors import ActorView, actor_view
from api.posts.answers.history_sentences import history_sentence
from api.posts.listing import cursor_after, history_cursor
from api.posts.lookup import NO_SUCH_POST
from api.views import HasMore, Moment, NextCursor, PlatformName, described, view
from domain.audit import Action
from domain.codes import TargetCode
from domain.errors import NotFound
from domain.ids import is_post_id, made_at
from domain.post import PostStatus
from domain.schedule import rfc3339
from platforms.codes import known_codes
from store.audit import deletions
from store.models import AuditEvent
from store.posts.history import HistoryEntry, HistoryPosition, read_history


@view("DeletedTarget")
class DeletedTargetView(TypedDict):
    """A target that a deleted post had."""

    platform: Annotated[PlatformName, described("The platform.")]
    accountId: Annotated[str, described("The account.", "ig_123")]


@view("PostDeletion")
class DeletionView(TypedDict):
    """A post that was deleted. Its content was deleted with it."""

    id: Annotated[str, described("The post, whose history can still be read.", "post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2")]
    deletedAt: Annotated[Moment, described("When it was deleted.")]
    deletedBy: Annotated[ActorView, described("Who deleted it.")]
    createdAt: Annotated[Moment, described("When it was created.")]
    status: Annotated[PostStatus, described("Its status when it was deleted.", "scheduled")]
    scheduledFor: Annotated[Moment | None, described("The time that it had then.")]
    platforms: Annotated[list[DeletedTargetView], described("Its targets; the first 50 if there were more.")]


@view("PostDeletions")
class DeletionsView(TypedDict):
    """One page of the deleted posts."""

    posts: Annotated[list[DeletionView], described("The last one deleted first.")]
    cursor: Annotated[NextCursor, Field(examples=["eyJpZCI6NDJ9"])]
    hasMore: Annotated[HasMore, Field(examples=[False])]


async def list_deleted(deps: Dependencies, workspace_id: str, before_id: int, limit: int) -> DeletionsView:
    """Return a page of the deleted posts of a workspace; `before_id` is the end of the page before, 0 for the first."""
    async with deps.database.reading() as session:
        entries = await deletions(session, workspace_id, limit + 1, before_id)
    page, more = entries[:limit], len(entries) > limit
    return DeletionsView(
        posts=[_view(event, key_name) for event, key_name in page],
        cursor=cursor_after(page[-1][0].id) if more else None,
        hasMore=more,
    )


def _view(event: AuditEvent, key_name: str | None) -> DeletionView:
    details = event.details
    return DeletionView(
        id=event.post_id,
        deletedAt=rfc3339(event.at),
        deletedBy=actor_view(event.actor_type, event.actor_id, key_name, identities=False),
        createdAt=rfc3339(made_at(event.post_id)),
        status=PostStatus(details["status"]),
        scheduledFor=details["scheduledFor"],
        platforms=[
            DeletedTargetView(platform=target["platform"], accountId=target["accountId"])
            for target in details["targets"]
        ],
    )


class _ChangedField(TypedDict):
    field: Annotated[str, described("Its name in this API.", "scheduledFor")]


# `from` can be the name of a field only in this form.
_Values = TypedDict(
    "_Values",
    {
        "from": NotRequired[
            Annotated[
                str,
                described(
                    "The value before, of a text its length (`118 characters`); left out for other content.",
                    "2030-02-01T14:00:00Z",
                ),
            ]
        ],
        "to": NotRequired[Annotated[str, described("The value after; left out as `from` is.", "2030-02-02T14:00:00Z")]],
    },
)


@view("HistoryChange")
class FieldChangeView(_ChangedField, _Values):
    """A field that got another value."""

    platform: NotRequired[Annotated[str, described("The platform of the target whose field it is.", "instagram")]]
    accountId: NotRequired[Annotated[str, described("The account of that target.", "ig_123")]]


@view("HistoryEvent")
class EventView(TypedDict):
    """An action on a post, or a result of publishing it."""

    at: Annotated[Moment, described("When it happened; for a step towards a platform, when it began.")]
    action: Annotated[Action, described("What was done, or its outcome.", "changed")]
    actor: Annotated[ActorView, described("Who did it.")]
    summary: Annotated[
        str,
        described(
            "The event as a sentence.",
            'API key "Editorial office" changed scheduledFor from 2030-02-01T14:00:00Z to 2030-02-02T14:00:00Z.',
        ),
    ]
    platform: NotRequired[Annotated[PlatformName, described("The platform, if it concerns one target.")]]
    accountId: NotRequired[Annotated[str, described("The account of that target.", "ig_123")]]
    version: NotRequired[Annotated[int, described("The number of the post's version that this change made.", 2)]]
    changes: NotRequired[Annotated[list[FieldChangeView], described("The fields that it changed.")]]
    httpStatus: NotRequired[Annotated[int, described("The platform's HTTP status.", 429)]]
    errorCode: NotRequired[Annotated[TargetCode, described("What went wrong.", "timed_out")]]
    platformCode: NotRequired[Annotated[str, described("The platform's own code.", "http_429")]]
    platformPostId: NotRequired[Annotated[str, described("The post's id on the platform.", "17841400123456789")]]
    nextAttemptAt: NotRequired[Annotated[Moment, described("When it is tried again.")]]


@view("History")
class HistoryView(TypedDict):
    """One page of a post's history."""

    events: Annotated[list[EventView], described("Oldest first.")]
    cursor: Annotated[NextCursor, Field(examples=["eyJpZCI6IjEuMTAwIiwiYXQiOiIyMDI2LTAxLTE1VDEwOjAwOjAwKzAwOjAwIn0"])]
    hasMore: Annotated[HasMore, Field(examples=[False])]


async def history(
    deps: Dependencies, workspace_id: str, post_id: str, after: HistoryPosition | None, limit: int
) -> HistoryView:
    """Return a page of what happened to a post, also if it is deleted. Raises NotFound."""
    entries = None
    if is_post_id(post_id):
        async with deps.database.transaction() as session:
            entries = await read_history(session, workspace_id, post_id, limit + 1, after)
    if entries is None:
        raise NotFound(NO_SUCH_POST)
    page, more = entries[:limit], len(entries) > limit
    cursor = history_cursor(page[-1].position) if more else None
    return HistoryView(events=events_view(page), cursor=cursor, hasMore=more)


def events_view(entries: Sequence[HistoryEntry], *, identities: bool = False) -> list[EventView]:
    """Return lines as clients read them; with `identities` as operators do, who see each other's names."""
    return [_event(entry, identities=identities) for entry in entries]


def _event(entry: HistoryEntry, *, identities: bool) -> EventView:
    event, details = entry.event, entry.event.details
    shown = EventView(
        at=rfc3339(event.at),
        action=Action(event.action),
        actor=actor_view(event.actor_type, event.actor_id, entry.actor_name, identities=identities),
        summary=history_sentence(entry, identities=identities),
    )
    if event.platform and event.account_id:
        shown["platform"], shown["accountId"] = event.platform, event.account_id
    if "version" in details:
        shown["version"] = details["version"]
    if details.get("changes"):
        # The audit trail has them as answers do.
        shown["changes"] = cast("list[FieldChangeView]", details["changes"])
    if "httpStatus" in details:
        shown["httpStatus"] = details["httpStatus"]
    codes = known_codes(details.get("code"))
    if codes.code:
        shown["errorCode"] = codes.code
    if codes.platform_code:
        shown["platformCode"] = codes.platform_code
    if "platformPostId" in details:
        shown["platformPostId"] = details["platformPostId"]
    if "nextAttemptAt" in details:
        shown["nextAttemptAt"] = details["nextAttemptAt"]
    return shown
