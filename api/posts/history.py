"""A post's history as clients read it."""

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import ConfigDict, Field

from api.dependencies import Dependencies
from api.posts.answers.actors import ActorView, actor_view
from api.posts.answers.history_sentences import sentence_of
from api.posts.answers.views import HasMore, Moment, NextCursor, PlatformName, View
from api.posts.listing import history_cursor
from api.posts.lookup import NO_SUCH_POST
from domain.audit import Action
from domain.codes import TargetCode
from domain.errors import NotFound
from domain.ids import is_post_id
from domain.schedule import rfc3339
from platforms.codes import known_codes
from store.posts.history import HistoryEntry, HistoryPosition, read_history


class FieldChangeView(View):
    """A field that got another value."""

    model_config = ConfigDict(title="HistoryChange")

    optional_fields = frozenset({"from", "to", "platform", "accountId"})

    field: str = Field(description="Its name in this API.", examples=["scheduledFor"])
    before: str = Field(
        alias="from",
        description="The value before, of a text its length (`118 characters`); left out for other content.",
        examples=["2030-02-01T14:00:00Z"],
    )
    after: str = Field(
        alias="to", description="The value after; left out as `from` is.", examples=["2030-02-02T14:00:00Z"]
    )
    platform: str = Field(description="The platform of the target whose field it is.", examples=["instagram"])
    account_id: str = Field(description="The account of that target.", examples=["ig_123"])


class EventView(View):
    """An action on a post, or a result of publishing it."""

    model_config = ConfigDict(title="HistoryEvent")

    optional_fields = frozenset(
        {
            "platform",
            "accountId",
            "version",
            "changes",
            "httpStatus",
            "errorCode",
            "platformCode",
            "platformPostId",
            "nextAttemptAt",
        }
    )

    at: Moment = Field(description="When it happened; for a step towards a platform, when it began.")
    action: Action = Field(description="What was done, or its outcome.", examples=["changed"])
    actor: ActorView = Field(description="Who did it.")
    summary: str = Field(
        description="The event as a sentence.",
        examples=['API key "Editorial office" changed scheduledFor from 2030-02-01T14:00:00Z to 2030-02-02T14:00:00Z.'],
    )
    platform: PlatformName = Field(description="The platform, if it concerns one target.")
    account_id: str = Field(description="The account of that target.", examples=["ig_123"])
    version: int = Field(description="The number of the post's version that this change made.", examples=[2])
    changes: list[FieldChangeView] = Field(description="The fields that it changed.")
    http_status: int = Field(description="The platform's HTTP status.", examples=[429])
    error_code: TargetCode = Field(description="What went wrong.", examples=["timed_out"])
    platform_code: str = Field(description="The platform's own code.", examples=["http_429"])
    platform_post_id: str = Field(description="The post's id on the platform.", examples=["17841400123456789"])
    next_attempt_at: Moment = Field(description="When it is tried again.")


class HistoryView(View):
    """One page of a post's history."""

    model_config = ConfigDict(title="History")

    events: list[EventView] = Field(description="Oldest first.")
    cursor: NextCursor = Field(examples=["eyJpZCI6IjEuMTAwIiwiYXQiOiIyMDI2LTAxLTE1VDEwOjAwOjAwKzAwOjAwIn0"])
    has_more: HasMore = Field(examples=[False])


async def history(
    deps: Dependencies, workspace_id: str, post_id: str, after: HistoryPosition | None, limit: int
) -> HistoryView:
    """Return a page of what happened to a post, also if it is deleted. Raises NotFound."""
    found = None
    if is_post_id(post_id):
        async with deps.database.transaction() as session:
            found = await read_history(session, workspace_id, post_id, limit + 1, after)
    if found is None:
        raise NotFound(NO_SUCH_POST)
    page, more = found[:limit], len(found) > limit
    return HistoryView.model_construct(
        events=events_view(page), cursor=history_cursor(page[-1].position) if more else None, has_more=more
    )


def events_view(entries: Sequence[HistoryEntry], *, identities: bool = False) -> list[EventView]:
    """Return lines as clients read them; with `identities` as operators do, who see each other's names."""
    return [_event(entry, identities=identities) for entry in entries]


_PLAIN: dict[str, Literal["version", "http_status", "platform_post_id", "next_attempt_at"]] = {
    "version": "version",
    "httpStatus": "http_status",
    "platformPostId": "platform_post_id",
    "nextAttemptAt": "next_attempt_at",
}


def _event(entry: HistoryEntry, *, identities: bool) -> EventView:
    event, details = entry.event, entry.event.details
    given: dict[str, Any] = {name: details[key] for key, name in _PLAIN.items() if key in details}
    if event.platform:
        given |= {"platform": event.platform, "account_id": event.account_id}
    if changes := details.get("changes"):
        given["changes"] = [FieldChangeView.model_construct(**_change(change)) for change in changes]
    codes = known_codes(details.get("code"))
    given |= {"error_code": codes.code} if codes.code else {}
    given |= {"platform_code": codes.platform_code} if codes.platform_code else {}
    return EventView.model_construct(
        at=rfc3339(event.at),
        action=Action(event.action),
        actor=actor_view(event.actor_type, event.actor_id, entry.actor_name, identities=identities),
        summary=sentence_of(entry, identities=identities),
        **given,
    )


def _change(change: dict[str, Any]) -> dict[str, Any]:
    names = {"from": "before", "to": "after", "accountId": "account_id"}
    return {names.get(name, name): value for name, value in change.items()}
