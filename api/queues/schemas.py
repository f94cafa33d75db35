"""The bodies and answers of queues."""

from typing import Annotated, Literal, NotRequired

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from api.posts.bodies.blackouts import BlackoutBody, BlackoutView
from api.posts.bodies.schemas import Name, NamedTarget, RequestModel, Zone
from api.views import QUEUE_ID, Moment, PlatformName, described, example, view
from domain.campaigns import MOST_BLACKOUTS
from domain.queues import MOST_SLOTS, SlotStatus, Weekday
from domain.workspaces import MAX_ITEMS
from platforms.texts.patterns import TextPattern

_Time = Annotated[str, TextPattern(r"^([01][0-9]|2[0-3]):[0-5][0-9]$", "must be a time of day such as 09:00")]
_DAYS = {"days": ["mo", "we", "fr"], "time": "09:00"}


class SlotBody(RequestModel):
    """A time of day, and the days of the week that have it."""

    model_config = ConfigDict(title="QueueSlot")

    days: list[Literal["mo", "tu", "we", "th", "fr", "sa", "su"]] = Field(
        min_length=1, max_length=len(Weekday), description="The days of the week.", examples=[["mo", "we", "fr"]]
    )
    time: _Time = Field(description="Wall time in the queue's zone.", examples=["09:00"])


_NAME = "What people call it; another queue of the workspace may not have the same name."
_ZONE = "The IANA time zone of its slots. Clock changes do not move them: 09:00 stays 09:00."
_ACCOUNTS = 'The accounts whose posts take its slots with `"queue": "next"`. An account is in one queue.'
_SLOTS = f"Its weekly times, at most {MOST_SLOTS} in a week: each day of each entry is one."
_BLACKOUTS = "Days whose slots no post gets."


class QueueBody(RequestModel):
    """A queue to create."""

    model_config = ConfigDict(title="CreateQueue")

    name: Name = Field(description=_NAME, examples=["Morning posts"])
    timezone: Zone = Field(description=_ZONE, examples=["Europe/Berlin"])
    accounts: list[NamedTarget] | None = Field(None, max_length=MAX_ITEMS, description=_ACCOUNTS)
    slots: list[SlotBody] = Field(min_length=1, max_length=MOST_SLOTS, description=_SLOTS, examples=[[_DAYS]])
    blackouts: list[BlackoutBody] | None = Field(None, max_length=MOST_BLACKOUTS, description=_BLACKOUTS)


class QueuePatchBody(RequestModel):
    """The fields of a queue to change. A field that is left out stays as it is; a list is replaced as a whole."""

    model_config = ConfigDict(title="UpdateQueue")

    name: Name | None = Field(None, description=_NAME, examples=["Morning posts"])
    timezone: Zone | None = Field(None, description=_ZONE, examples=["Europe/Berlin"])
    accounts: list[NamedTarget] | None = Field(None, max_length=MAX_ITEMS, description=_ACCOUNTS)
    slots: list[SlotBody] | None = Field(
        None, min_length=1, max_length=MOST_SLOTS, description=_SLOTS, examples=[[_DAYS]]
    )
    blackouts: list[BlackoutBody] | None = Field(None, max_length=MOST_BLACKOUTS, description=_BLACKOUTS)
    reflow: bool = Field(False, examples=[True])
    """Give the posts that wait in the queue new slots, in their order. Posts that are due within a minute, or have
    begun, keep theirs. Without it no post moves, whatever the change."""


@view("QueueSlotRule")
class SlotRuleView(TypedDict):
    """A time of day, and the days of the week that have it."""

    days: Annotated[list[Weekday], described("The days of the week.", ["mo", "we", "fr"])]
    time: Annotated[str, described("Wall time in the queue's zone.", "09:00")]


@view("QueueAccount")
class QueueAccountView(TypedDict):
    """An account whose posts take the queue's slots."""

    platform: PlatformName
    accountId: Annotated[str, described("The account's id.", "ig_123")]


@view("Queue")
class QueueView(TypedDict):
    """A queue: the weekly times at which the posts of some accounts go out."""

    id: Annotated[str, described("The queue's id.", QUEUE_ID)]
    name: Annotated[str, described("What people call it.", "Morning posts")]
    timezone: Annotated[str, described("The IANA time zone of its slots.", "Europe/Berlin")]
    accounts: Annotated[list[QueueAccountView], described("The accounts whose posts take its slots.")]
    slots: Annotated[list[SlotRuleView], described("Its weekly times, as they were given.")]
    blackouts: Annotated[list[BlackoutView], described("Days whose slots no post gets.", [])]
    createdAt: Annotated[Moment, described("When it was created.")]
    updatedAt: Annotated[Moment, described("When it last changed.")]
    moved: NotRequired[Annotated[int, described("With `reflow`: how many posts have got another slot.", 12)]]


@view("QueueList")
class QueueListView(TypedDict):
    """The queues of a workspace."""

    queues: Annotated[list[QueueView], described("The oldest first.")]


@view("Slot")
class SlotView(TypedDict):
    """A slot of a queue."""

    at: Annotated[Moment, described("Its instant.")]
    local: Annotated[str, example("2030-12-02T09:00:00")]
    """The same as wall time in the queue's zone, after clock changes."""
    status: Annotated[SlotStatus, example("taken")]
    """`free`: a post can get it. `taken`: a post has it, see `postId`. `blackout`: a blackout of the queue covers it.
    `past`: nothing has taken it, and it is over or begins within a minute."""
    postId: Annotated[str | None, described("The post that has it.", "post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2")]


@view("SlotList")
class SlotListView(TypedDict):
    """The slots of a queue in a range of days."""

    timezone: Annotated[str, described("The queue's zone.", "Europe/Berlin")]
    slots: list[SlotView]
    """The soonest first; also those that posts have although a change of the queue has removed them."""


@view("DeletedQueue")
class DeletedQueueView(TypedDict):
    """A queue that is gone. Its posts keep their times."""

    id: Annotated[str, described("Its id.", QUEUE_ID)]
    deleted: Annotated[Literal[True], described("Always true.")]
