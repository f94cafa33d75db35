"""The answers about posts, and the actors of changes as clients read them.

`identities`: with the names of operators, which other operators see and clients do not.
"""

from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field, WithJsonSchema
from typing_extensions import TypedDict

from api.errors import ProblemView
from api.views import QUEUE_ID, HasMore, Moment, NextCursor, PlatformName, ValueOf, described, example, view
from domain.attempts import AttemptState, AttemptStep
from domain.audit import ActorType
from domain.codes import TargetCode
from domain.moves import OnFailure
from domain.pauses import SkipReason
from domain.plan import WaitsFor
from domain.post import (
    PUBLISH_WITHIN_S,
    ErrorCategory,
    HoldReason,
    MediaChangeKind,
    MediaType,
    PostStatus,
    TargetStatus,
)


@view("HistoryActor")
class ActorView(TypedDict):
    """The actor of an event."""

    type: Annotated[ActorType, described("`operator` is a person who runs this service.", "api_key")]
    id: NotRequired[Annotated[str, example("key_019bc10e51307c4f8d2b7f3a6c0e9d41")]]
    """The id of the API key; the key itself is kept nowhere."""
    name: NotRequired[Annotated[str, described("The name of the API key, if it has one.", "Editorial office")]]


def actor_view(actor_type: str, actor_id: str | None, name: str | None, *, identities: bool) -> ActorView:
    """Return an actor; `name` is that of an API key, if it has one."""
    kind = ActorType(actor_type)
    actor = ActorView(type=kind)
    if actor_id and (identities or kind is ActorType.API_KEY):
        actor["id"] = actor_id
    if name:
        actor["name"] = name
    return actor


def actor_words(actor_type: str, actor_id: str | None, name: str | None, *, identities: bool) -> str:
    """Return an actor as the subject of a sentence."""
    match ActorType(actor_type):
        case ActorType.API_KEY:
            return f'API key "{name}"' if name else f"API key {actor_id}" if actor_id else "An API key"
        case ActorType.OPERATOR:
            return f"Operator {actor_id}" if identities and actor_id else "An operator"
        case _:
            return "This service"


Step = Annotated[str, WithJsonSchema({"type": "string", "enum": list(AttemptStep)}, mode="serialization")]
State = Annotated[str, WithJsonSchema({"type": "string", "enum": list(AttemptState)}, mode="serialization")]


@view("PostMedia")
class MediaView(TypedDict):
    """One image, video, GIF or document."""

    type: Annotated[MediaType, described("What the file is.", "image")]
    url: Annotated[str, described("The address of the file.", "https://example.com/photo.jpg")]
    altText: NotRequired[Annotated[str, described("Its description, if given.", "A lighthouse at dawn")]]


@view("PostVersion")
class VersionView(TypedDict):
    """An earlier version of an edited post."""

    platformPostId: Annotated[str, described("Its id on the platform.", "1234567890")]
    platformPostUrl: Annotated[str | None, described("Its address.", "https://x.com/i/status/1234567890")]
    content: Annotated[str, described("Its text.", "Hello from SocialSyncerAPI!")]
    editedAt: Annotated[Moment, described("When the next version replaced it.")]


@view("MediaChange")
class ChangeView(TypedDict):
    """A change of a media file before it was sent to its platform."""

    url: Annotated[str, described("The media item's URL.", "https://example.com/photo.png")]
    what: Annotated[MediaChangeKind, described("The kind of change.", "converted")]
    detail: Annotated[str, described("The change in words.", "Converted from image/png to image/jpeg")]


@view("PostTarget")
class TargetView(TypedDict):
    """The state of a post on one account."""

    platform: Annotated[PlatformName, described("The platform.")]
    accountId: Annotated[str, described("The connected account.", "ig_123")]
    status: Annotated[Annotated[str, ValueOf(TargetStatus)], example("published")]
    """`unconfirmed`: the request was sent and its answer lost; it may be public and is not sent again. `held`: it waits
    for its account, this service's operator or the end of a pause (see `holdReason`). It fails when `publishWithin` has
    passed, which stands still during a pause."""
    platformPostId: Annotated[str | None, described("The post's id on the platform.", "17841400123456789")]
    platformPostUrl: Annotated[str | None, example("https://instagram.com/p/ABC123")]
    """The post's address on the platform."""
    content: Annotated[str, described("The text in effect.", "Hello from SocialSyncerAPI!")]
    publishedAt: Annotated[Moment | None, described("When it became public.", "2026-01-15T10:00:02Z")]
    customContent: NotRequired[Annotated[str, example("Hello, Instagram!")]]
    """The text given for this account, if any."""
    customMedia: NotRequired[Annotated[list[MediaView], described("The media given for this account, if any.")]]
    platformSpecificData: NotRequired[Annotated[dict[str, Any], example({"shareToFeed": True})]]
    """The settings given for this account, if any."""
    nextAttemptAt: NotRequired[Moment]
    """While it waits: when it is tried again, if that is known."""
    waitsFor: NotRequired[Annotated[str, ValueOf(WaitsFor)]]
    """What it waits for, if it is due and waits: its `platform`, which refused it for now (see `errorCode`); its
    account's `rate_limit`; other `media` of the workspace; the lost `answer`, until it is confirmed; a `person` who
    says whether it is public; its `account`, which must be reconnected; the `operator` of this service; or the end of a
    `pause`."""
    holdReason: NotRequired[Annotated[str, ValueOf(HoldReason)]]
    """While it is held: whether the account must be reconnected, has used up its quota at the platform, the operator of
    this service must correct its app at the platform, or publishing is paused."""
    mediaChanges: NotRequired[list[ChangeView]]
    """What was changed about media files before the platform got them, if anything."""
    warning: NotRequired[Annotated[str, example("The first comment could not be added.")]]
    """On a published target, what could not be done after it was published, such as the first comment. On a `pending`
    one, what was found wrong when it was prepared, minutes before its time."""
    editHistory: NotRequired[list[VersionView]]
    """Earlier versions, oldest first, once it was edited."""
    error: NotRequired[Annotated[str, example("X refused it as a duplicate.")]]
    """What went wrong, if it is failed, unconfirmed, held or tried again."""
    errorCode: NotRequired[Annotated[TargetCode | None, example("duplicate_content")]]
    """The same for a program; docs/errors.md gives the cause and the remedy of each."""
    platformCode: NotRequired[Annotated[str, example("190")]]
    """The platform's own code, or `http_` and the status of its answer, if it gave one."""
    errorCategory: NotRequired[Annotated[Annotated[str, ValueOf(ErrorCategory)] | None, example("rejected")]]
    """The party that must act."""
    retryable: NotRequired[Annotated[bool, described("Whether a retry can help without any change.", False)]]
    hint: NotRequired[Annotated[str, example("Change what it sends by PATCH, then POST …/retry.")]]
    """How to continue, if it is failed, held or left unconfirmed."""


@view("PostAfter")
class AfterView(TypedDict):
    """The post that another one waits for."""

    postId: Annotated[str, described("The post.", "post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2")]
    delay: NotRequired[Annotated[str, described("How long after it, if given.", "PT2H")]]
    onFailure: Annotated[Annotated[str, ValueOf(OnFailure)], described("What happens if it fails.", OnFailure.SKIP)]


@view()
class PostView(TypedDict):
    """A post with everything about its targets."""

    id: Annotated[str, example("post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2")]
    """The post's id. Ids sort in the order of creation."""
    status: Annotated[Annotated[str, ValueOf(PostStatus)], example("published")]
    """`draft`: it is not scheduled. `scheduled`: it is not due yet. `publishing`: it is due, and a target has no
    outcome yet. `published`: every target is public. `partial`: publishing is over, and some targets are public or may
    be. `failed`: publishing is over, and no target is public."""
    content: Annotated[str | None, described("The text as it was sent.", "Hello from SocialSyncerAPI!")]
    mediaItems: Annotated[list[MediaView], described("The post's media.")]
    platforms: Annotated[list[TargetView], described("One entry per account.")]
    tags: Annotated[list[str], described("Your labels.", ["marketing"])]
    timezone: Annotated[str, described("The IANA time zone given, or UTC.", "UTC")]
    scheduledFor: Annotated[Moment | None, described("The instant it is scheduled for.")]
    scheduledForLocal: Annotated[str | None, example("2030-02-01T09:00:00")]
    """The same as wall time in `timezone`, without an offset, as `scheduledFor` takes it."""
    externalId: NotRequired[Annotated[str, described("Your own id, if given.", "campaign-7/row-12")]]
    campaignId: NotRequired[Annotated[str, example("cmp_019bc10e51307c4f8d2b7f3a6c0e9d41")]]
    """Its campaign, if it has one."""
    seriesId: NotRequired[Annotated[str, example("ser_019bc10e51307c4f8d2b7f3a6c0e9d41")]]
    """The series whose occurrence it is."""
    occurrence: NotRequired[Annotated[str, example("2030-03-04T09:00:00")]]
    """The wall time that the rule of its series gave it, whatever its time is."""
    queueId: NotRequired[Annotated[str, described("The queue whose slot is its time, if it is one.", QUEUE_ID)]]
    waitsFor: NotRequired[Literal["post"]]
    """A draft that waits for another post, see `after`. It is scheduled when that one is published."""
    after: NotRequired[Annotated[AfterView, described("The post that it waits for, while it does.")]]
    dueAt: NotRequired[Moment]
    """When it is due, if the end of a pause has moved that from `scheduledFor`."""
    plannedFor: NotRequired[Moment]
    """The instant it was scheduled for, if `publishNow` went ahead of it."""
    skipReason: NotRequired[Annotated[Annotated[str, ValueOf(SkipReason)], example("paused")]]
    """Why it is a draft, if something else was planned: a pause has missed it (`paused`), its campaign has other times
    now (`outside_window`, `in_blackout`) or has ended, or the post that it waited for has failed or was deleted
    (`previous_failed`, `previous_deleted`)."""
    publishedAt: Annotated[Moment | None, described("When it first became public anywhere.", "2026-01-15T10:00:02Z")]
    createdAt: Annotated[Moment, described("When it was created.")]
    updatedAt: Annotated[Moment, described("When it last changed.")]
    isDraft: Annotated[bool, described("Whether `status` is draft.", False)]
    publishWithin: Annotated[int, described("Seconds after its time in which it may still go out.", PUBLISH_WITHIN_S)]
    tiktokSettings: NotRequired[Annotated[dict[str, Any], described("The root-level TikTok settings, if given.", {})]]
    facebookSettings: NotRequired[Annotated[dict[str, Any], example({})]]
    """The root-level Facebook settings, if given."""
    warnings: NotRequired[list[ProblemView]]
    """What keeps the post from being published, if anything is known: the time of a draft has passed, or an account of
    a `scheduled` post cannot publish. Scheduled posts are checked several times from 24 hours before they are due. A
    warning disappears with its cause. The response that creates a scheduled post also warns of an account that has more
    posts for the day than its platform allows (`over_daily_cap`), and one that creates or changes a post of a time that
    clocks skip (`moved_by_clock_change`)."""


@view("PostList")
class PageView(TypedDict):
    """One page of the list."""

    posts: Annotated[list[PostView], described("In the order that `sort` names; newest first by default.")]
    cursor: Annotated[NextCursor, Field(examples=["eyJpZCI6InBvc3RfYWJjMTIzIn0"])]
    hasMore: Annotated[HasMore, Field(examples=[True])]


@view()
class AttemptView(TypedDict):
    """One step towards a platform."""

    platform: Annotated[PlatformName, described("The platform.")]
    accountId: Annotated[str, described("The account.", "ig_123")]
    step: Annotated[Step, example(AttemptStep.PUBLISH)]
    """`publish` is the one request that makes a post public; `confirm` follows if its answer was lost."""
    state: Annotated[State, described("Its outcome; `sending` while it is under way.", AttemptState.DONE)]
    startedAt: Annotated[Moment, described("When it began.")]
    finishedAt: Annotated[Moment | None, described("When it ended; null while it is under way.")]
    httpStatus: Annotated[int | None, described("The platform's HTTP status.", 200)]
    errorCode: Annotated[TargetCode | None, example("timed_out")]
    """What went wrong, if it is more than the platform's own code says."""
    platformCode: Annotated[str | None, example("36003/2207009")]
    """The platform's own code, or `http_` and the status of its answer."""
    requestId: Annotated[str | None, described("The platform's id of the request.", "AbCdEf")]
    decision: Annotated[str | None, described("What this service does after it, in words.", "trying again in 12 s")]
    nextAttemptAt: Annotated[Moment | None, described("When the step is repeated, if that was decided.")]


@view("AttemptList")
class AttemptsView(TypedDict):
    """One page of the steps of a post's targets."""

    attempts: Annotated[list[AttemptView], described("Oldest first.")]
    cursor: Annotated[NextCursor, Field(examples=["eyJpZCI6MTAwfQ"])]
    hasMore: Annotated[HasMore, Field(examples=[False])]


@view("DeletedPost")
class DeletedView(TypedDict):
    """A post that is gone."""

    id: Annotated[str, described("Its id.", "post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2")]
    deleted: Annotated[Literal[True], described("Always true.")]
    status: NotRequired[Annotated[PostStatus, example("published")]]
    """Its last status, if it was published or may have been: it stays on its platforms."""


@view("FreeSlot")
class FreeSlotView(TypedDict):
    """The slot that a post would get."""

    queueId: Annotated[str, described("The queue.", QUEUE_ID)]
    scheduledFor: Annotated[Moment, described("The instant of the slot.")]
    timezone: Annotated[str, described("The queue's zone, which would be the post's.", "Europe/Berlin")]


@view("ValidationResult")
class VerdictView(TypedDict):
    """The result of validating a body: what creating a post from it would report."""

    valid: Annotated[bool, described("Whether it would be accepted.", False)]
    errors: Annotated[list[ProblemView], described("Why not.")]
    warnings: list[ProblemView]
    """What may fail when it is published, or be shown otherwise than it was given."""
    slot: NotRequired[FreeSlotView]
    """The slot that is free now, if the post asks for one and nothing is wrong. It is not reserved."""
