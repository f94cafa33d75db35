"""A post's history, with its sentences, and the posts that were deleted, as clients read them."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated, Any, NotRequired, cast

from pydantic import Field
from typing_extensions import TypedDict

from api.dependencies import Dependencies
from api.posts.answers.views import ActorView, actor_view, actor_words
from api.posts.listing import cursor_after, history_cursor
from api.posts.lookup import NO_SUCH_POST
from api.views import HasMore, Moment, NextCursor, PlatformName, described, example, view
from domain.audit import Action, ActorType
from domain.codes import TargetCode
from domain.errors import NotFound
from domain.ids import is_post_id, made_at
from domain.pauses import MissedPolicy
from domain.post import PostStatus, TargetStatus
from domain.preflight import PreflightReason, warning_sentence
from domain.schedule import rfc3339
from platforms.codes import known_codes
from platforms.registry import platforms
from store.audit import deletions
from store.models import AuditEvent
from store.posts.history import HistoryEntry, HistoryPosition, read_history


def history_sentence(entry: HistoryEntry, *, identities: bool) -> str:
    """Return an entry as a sentence or two. `identities`: with the names of operators, which customers do not see."""
    event = entry.event
    who = actor_words(event.actor_type, event.actor_id, entry.actor_name, identities=identities)
    return _SENTENCES[Action(event.action)](event, who, identities)


def _place(event: AuditEvent) -> str:
    """Return the target as people name it."""
    if event.platform is None:
        return "all its targets"
    platform = platforms().get(event.platform)
    return f"{platform.label if platform else event.platform} account {event.account_id}"


def _places(event: AuditEvent) -> str:
    if targets := event.details.get("targets"):
        return f"{len(targets)} targets"
    return _place(event)


def _why(event: AuditEvent) -> str:
    """Return the code and the HTTP status in brackets, as far as they are known."""
    codes = known_codes(event.details.get("code"))
    status = event.details.get("httpStatus")
    named = [f"HTTP {status}" if status else None, codes.code, codes.platform_code]
    reasons = ", ".join(name for name in named if name)
    return f" ({reasons})" if reasons else ""


def _decided(event: AuditEvent) -> str:
    decision = event.details.get("decision")
    return f": {decision}" if decision else ""


def _changes(event: AuditEvent) -> str:
    changes = [_change(change) for change in event.details.get("changes", ())]
    if more := event.details.get("moreChanges"):
        changes.append(f"{more} more fields")
    if not changes:
        return "nothing"
    return changes[0] if len(changes) == 1 else f"{', '.join(changes[:-1])} and {changes[-1]}"


def _change(change: dict[str, Any]) -> str:
    name = change["field"]
    if "platform" in change:
        name += f" of {change['platform']}/{change['accountId']}"
    before, after = change.get("from"), change.get("to")
    if before and after:
        return f"{name} from {before} to {after}"
    if after:
        return f"{name} (added {after})" if name == "platforms" else f"{name} to {after}"
    return f"{name} (removed {before})" if before else name


def _changed(event: AuditEvent, who: str, _: bool) -> str:
    if event.details.get("pause"):
        missed = event.details.get("missed")
        if missed == MissedPolicy.SHIFT and event.details.get("changes"):
            return f"{who} ended a pause. The post moved: {_changes(event)}."
        return f"{who} ended a pause. The post {'was skipped' if missed == MissedPolicy.SKIP else 'continues'}."
    if first := event.details.get("after"):
        is_scheduled = any(change["field"] == "scheduledFor" for change in event.details.get("changes", ()))
        outcome = (
            "was published, so this one is scheduled" if is_scheduled else "will not be published, so it waits no more"
        )
        return f"The post {first} {outcome}: {_changes(event)}."
    if event.actor_type == ActorType.WORKER:
        return f"A new release of the time zone data changed {_changes(event)}."
    return f"{who} changed {_changes(event)}."


def _resolved(event: AuditEvent, who: str, _: bool) -> str:
    (change,) = event.details["changes"]
    known_as = event.details.get("platformPostId")
    public = "it is public" if change.get("to") == TargetStatus.PUBLISHED else "it is not public"
    return f"{who} said of {_place(event)} that {public}{f' as {known_as}' if known_as else ''}."


def _ended(event: AuditEvent, identities: bool) -> str:
    run = event.details.get("run")
    if run is None:
        return "Temporal did not know its workflow"
    if run == "stuck":
        return "its workflow did not fit the code of the workers"
    by = event.details.get("endedBy")
    reason = event.details.get("reason")
    named = f" by {by}" if identities and by else ""
    return f"its workflow was {run.replace('_', ' ')}{named}{f' ({reason})' if identities and reason else ''}"


def _late(event: AuditEvent, _who: str, _: bool) -> str:
    due, over = event.details.get("dueAt"), event.details.get("endedAt")
    where = f" on {_place(event)}" if event.platform else ""
    if due and over:
        waited = (datetime.fromisoformat(over) - datetime.fromisoformat(due)).total_seconds()
        return f"It was due at {due}{where}, and waited {waited:.0f} s until a worker had begun."
    return f"It was due at {due}{where}, and no worker has begun it."


def _terminated(event: AuditEvent, who: str, identities: bool) -> str:
    reason = event.details.get("reason")
    why = f" ({reason})" if identities and reason else ""
    return f"{who} terminated the workflow{why}. A worker starts it again, because the row still has the post."


def _cancelled(event: AuditEvent, who: str, identities: bool) -> str:
    reason = event.details.get("reason")
    why = f" ({reason})" if identities and reason else ""
    stopped = event.platform or event.details.get("targets")
    return f"{who} cancelled the workflow{why}{f'. Not sent any more: {_places(event)}' if stopped else ''}."


def _published(event: AuditEvent, _who: str, _: bool) -> str:
    known_as, url = event.details.get("platformPostId"), event.details.get("platformPostUrl")
    address = f": {url}" if url else "."
    return f"Published on {_place(event)}{f' as {known_as}' if known_as else ''}{address}"


def _refused(event: AuditEvent, _who: str, _: bool) -> str:
    if known_codes(event.details.get("code")).code == "internal":
        return f"This service could not send it to {_place(event)} yet{_why(event)}{_decided(event)}."
    return f"{_place(event)} refused it for now{_why(event)}{_decided(event)}."


def _signalled(event: AuditEvent, who: str, _: bool) -> str:
    return f"{who} sent the workflow the signal {event.details.get('signal')}."


def _warned(event: AuditEvent, _who: str, _: bool) -> str:
    platform = platforms().get(event.platform or "")
    label = platform.label if platform else event.platform or "The platform"
    return f"Checked ahead of its time. {warning_sentence(PreflightReason(event.details['reason']), label)}"


_Sentence = Callable[[AuditEvent, str, bool], str]
_SENTENCES: dict[Action, _Sentence] = {
    Action.CREATED: lambda event, who, _: f"{who} created the post." if event.actor_id else "The post was created.",
    Action.CHANGED: _changed,
    Action.CORRECTED: lambda event, who, _: f"{who} corrected what had failed: {_changes(event)}.",
    Action.EDITED: lambda event, who, _: f"{who} asked for an edit of what is public on {_places(event)}.",
    Action.DELETED: lambda _event, who, _: f"{who} deleted the post.",
    Action.RETRIED: lambda event, who, _: f"{who} retried {_places(event)}.",
    Action.RESOLVED: _resolved,
    Action.CANCELLED: _cancelled,
    Action.TERMINATED: _terminated,
    Action.SIGNALLED: _signalled,
    Action.RESET: lambda _event, who, _: (
        f"{who} reset the workflow to an earlier point. Targets that were sent are not sent again."
    ),
    Action.RELEASED: lambda _event, _who, _: "The reason for holding it is gone, so it continues.",
    Action.RESTARTED: lambda event, _who, named: f"Started again from its row: {_ended(event, named)}.",
    Action.RESTORED: lambda _event, _who, _: (
        "Rows were lost: it is confirmed on its platforms before anything is sent."
    ),
    Action.WARNED: _warned,
    Action.WARNING_CLEARED: lambda event, _who, _: (
        f"Checked ahead of its time. The cause of the last warning about {_place(event)} is gone."
    ),
    Action.LATE: _late,
    Action.PREPARED: lambda event, _who, _: f"Prepared for {_place(event)}{_decided(event)}.",
    Action.SENDING: lambda event, _who, _: f"Sent to {_place(event)}; the answer is awaited.",
    Action.PUBLISHED: _published,
    Action.REFUSED: _refused,
    Action.FAILED: lambda event, _who, _: f"It failed on {_place(event)}{_why(event)}.",
    Action.HELD: lambda event, _who, _: f"Held for {_place(event)}{_why(event)}{_decided(event)}.",
    Action.UNCONFIRMED: lambda event, _who, _: (
        f"Sent to {_place(event)}, whose answer was lost{_why(event)}{_decided(event)}."
    ),
    Action.CONFIRMED: lambda event, _who, _: f"Looked for it on {_place(event)}{_why(event)}{_decided(event)}.",
    Action.EDIT_PUBLISHED: lambda event, _who, _: f"The edit is public on {_place(event)}.",
    Action.EDIT_REFUSED: lambda event, _who, _: f"{_place(event)} refused the edit{_why(event)}{_decided(event)}.",
    Action.EDIT_UNCONFIRMED: lambda event, _who, _: (
        f"The answer to the edit on {_place(event)} was lost{_why(event)}{_decided(event)}."
    ),
}


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
        example('API key "Editorial office" changed scheduledFor from 2030-02-01T14:00:00Z to 2030-02-02T14:00:00Z.'),
    ]
    """The event as a sentence."""
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
