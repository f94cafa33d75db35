"""The bodies and answers of pauses."""

from typing import Annotated, Literal, NotRequired

from pydantic import ConfigDict, Field
from typing_extensions import TypedDict

from api.posts.answers.views import ActorView
from api.posts.bodies.schemas import Name, RequestModel
from api.views import HasMore, Moment, NextCursor, PlatformName, described, example, view
from domain.pauses import LONGEST_SPACING_S, REASON_LENGTH, MissedPolicy, PauseScope, PauseStatus


class PauseBody(RequestModel):
    """The scope of a pause, and its reason."""

    model_config = ConfigDict(title="CreatePause")

    scope: Literal["workspace", "account"] = Field(examples=["account"])
    """`workspace`: all posts. `account`: the posts to one account; their other targets are published."""
    platform: Name | None = Field(None, description="The account's platform.", examples=["twitter"])
    account_id: Name | None = Field(None, description="The account's id.", examples=["tw_456"])
    reason: str | None = Field(None, max_length=REASON_LENGTH, examples=["Press embargo until Friday"])
    """Why; people see it wherever the pause is shown."""


class ResumeBody(RequestModel):
    """The outcome of the posts that a pause has missed."""

    model_config = ConfigDict(title="ResumePause")

    missed: Literal["publish", "shift", "skip"] | None = Field(None, examples=["publish"])
    """`publish`: they are published now, and have their whole `publishWithin` again. `shift`: they and all other posts
    that were not sent move by whole days of their time zones, as few as possible. `skip`: they become drafts with a
    `skipReason`; targets of a post that is partly public fail instead, and may be retried. Required if something was
    missed: it is never guessed."""
    spacing: int = Field(0, ge=0, le=LONGEST_SPACING_S, examples=[600])
    """Seconds between two missed posts to the same account, with `publish`."""
    dry_run: bool = Field(False, description="Answer what would be done, and change nothing.", examples=[False])


@view("PostInFlight")
class PostInFlightView(TypedDict):
    """A post that was being sent when the pause began, and may still become public."""

    postId: Annotated[str, described("The post's id.", "post_019bc10e51307c4f8d2b7f3a6c0e9d41")]
    platform: PlatformName
    accountId: Annotated[str, described("The account's id.", "ig_123")]
    since: Annotated[Moment, described("When its request began.")]


@view("Resumed")
class ResumedView(TypedDict):
    """The effect of the end of a pause."""

    published: Annotated[int, described("The posts that are published now, one after the other.", 12)]
    shifted: Annotated[int, described("The posts that have moved by whole days.", 0)]
    skipped: Annotated[int, described("The posts that were skipped.", 0)]
    stillPaused: Annotated[int, described("The posts that another pause stops as well.", 0)]


@view("Pause")
class PauseView(TypedDict):
    """A pause of a workspace's posts, or of those to one account, of one campaign or of one series."""

    id: Annotated[str, described("The pause's id.", "pau_019bc10e51307c4f8d2b7f3a6c0e9d41")]
    scope: PauseScope
    platform: NotRequired[PlatformName]
    accountId: NotRequired[Annotated[str, described("The account's id.", "ig_123")]]
    campaignId: NotRequired[Annotated[str, described("The campaign's id.", "cmp_019bc10e51307c4f8d2b7f3a6c0e9d41")]]
    seriesId: NotRequired[Annotated[str, described("The series' id.", "ser_019bc10e51307c4f8d2b7f3a6c0e9d41")]]
    status: Annotated[PauseStatus, example("paused")]
    """`pausing`: no send begins any more, and what is listed in `inFlight` may still become public. `paused`: no
    request that publishes a post leaves any process."""
    reason: Annotated[str | None, described("Why.", "Press embargo until Friday")]
    since: Annotated[Moment, described("When it began.")]
    by: ActorView
    inFlight: Annotated[list[PostInFlightView], described("At most 100.", [])]
    missed: Annotated[int, described("How many posts fell due during the pause, and wait for its end.", 12)]
    stillPaused: Annotated[int, described("How many posts that fell due another pause or a blackout stops as well.", 0)]
    resumeAt: NotRequired[Annotated[Moment, described("When it ends by itself, if that was said.")]]
    resumeMissed: NotRequired[Annotated[MissedPolicy, example("publish")]]
    """What becomes then of the posts that were missed."""
    endedAt: Annotated[Moment | None, described("When it ended; null while it lasts.")]
    endedBy: NotRequired[ActorView]
    result: NotRequired[ResumedView]


@view("PauseList")
class PausePageView(TypedDict):
    """One page of pauses."""

    pauses: Annotated[list[PauseView], described("The newest first.")]
    cursor: Annotated[NextCursor, Field(examples=["eyJpZCI6InBhdV8wMTlhIn0="])]
    hasMore: Annotated[HasMore, Field(examples=[False])]
