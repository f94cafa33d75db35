"""The bodies and answers of campaigns."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, NotRequired

from pydantic import AfterValidator, ConfigDict, Field, WithJsonSchema
from typing_extensions import TypedDict

from api.pauses.schemas import PauseView, ResumeBody
from api.posts.answers.views import ActorView, actor_view
from api.posts.bodies.blackouts import BlackoutBody, BlackoutView, blackout_view
from api.posts.bodies.schemas import Name, RequestModel, Zone, check_duration
from api.posts.many.checking import MOST_ROWS
from api.shared.caches import CountedProgress
from api.views import HasMore, Moment, NextCursor, described, example, view
from domain.campaigns import MOST_BLACKOUTS, CampaignStatus, OperationKind
from domain.pauses import REASON_LENGTH
from domain.post import PostStatus
from domain.schedule import local_time, rfc3339
from domain.workspaces import MAX_ITEMS
from store.campaigns.campaigns import campaign_status
from store.models import Campaign, Operation

_TIME = (
    "An ISO 8601 date and time: an instant with an offset or Z, or wall time in `timezone`, which stays the same wall "
    "time if `timezone` changes."
)
# A post is read as the body of a request for one post; the document shows its schema.
_Post = Annotated[dict[str, Any], WithJsonSchema({"$ref": "#/components/schemas/PostBody"})]
_Time = Annotated[str, Field(max_length=40)]
NULLABLE = frozenset({"startsAt", "endsAt"})
"""Fields that a change removes by null."""
Missed = Literal["publish", "shift", "skip"]
_BOUND = "An ISO 8601 date, or date and time; without an offset it is the campaign's `timezone`'s."
_LOCAL = "The same as wall time in `timezone`, without an offset."
OperationResult = dict[str, Any]


class CampaignFieldsBody(RequestModel):
    """The fields of a campaign."""

    tags: list[Name] | None = Field(None, max_length=MAX_ITEMS, examples=[["bf30"]])
    """Your own labels of the campaign; the list can be filtered by them. Its posts have their own."""
    timezone: Zone | None = Field(None, examples=["Europe/Berlin"])
    """IANA time zone of its times and days, and the default of its posts; UTC by default."""
    starts_at: _Time | None = Field(
        None, description=f"No post may be due before. {_TIME}", examples=["2030-11-01T00:00:00"]
    )
    ends_at: _Time | None = Field(
        None, description=f"No post is published from then on. {_TIME}", examples=["2031-02-01T00:00:00"]
    )
    blackouts: list[BlackoutBody] | None = Field(None, max_length=MOST_BLACKOUTS)
    """Days on which its posts are not published."""


class CampaignBody(CampaignFieldsBody):
    """A campaign to create."""

    model_config = ConfigDict(title="CreateCampaign")

    name: Name = Field(description="Its name, for people.", examples=["Black Friday"])
    posts: list[_Post] | None = Field(None, max_length=MOST_ROWS)
    """Its first posts, each as the body that creates it alone, without `campaignId`. All are created with the campaign,
    or nothing is. They need an `Idempotency-Key`, and are scheduled or drafts: `publishNow` is refused."""
    is_draft: bool | None = Field(None, examples=[False])
    """Keep it and its posts as drafts until `POST /v1/campaigns/{campaignId}/start`."""


class PatchCampaignBody(CampaignFieldsBody):
    """The fields of a campaign to change. A field that is left out stays as it is."""

    model_config = ConfigDict(title="UpdateCampaign")

    name: Name | None = Field(None, description="Its name, for people.", examples=["Black Friday"])
    conflicts: Literal["refuse", "skip"] | None = Field(None, examples=["skip"])
    """Scheduled posts that `startsAt`, `endsAt` or `blackouts` would no longer allow: `refuse` (the default) changes
    nothing and names them, `skip` makes drafts of them."""


class PauseCampaignBody(RequestModel):
    """The reason of a campaign's pause, and its end if it has one."""

    model_config = ConfigDict(title="PauseCampaign")

    reason: str | None = Field(None, max_length=REASON_LENGTH, examples=["The prices are wrong"])
    """Why; people see it wherever the pause is shown."""
    resume_at: Annotated[str, Field(max_length=40)] | None = Field(None, examples=["2030-11-21T08:00:00"])
    """When the pause ends by itself: an ISO 8601 date and time, an instant or wall time in the campaign's `timezone`. A
    worker ends it, so it may last some minutes longer, and never ends earlier."""
    missed: Missed | None = Field(None, examples=["publish"])
    """What becomes at `resumeAt` of the posts that were missed by then. Required with `resumeAt`."""


class ResumeCampaignBody(ResumeBody):
    """The outcome of the posts that a campaign's pause has missed."""

    model_config = ConfigDict(title="ResumeCampaign")


class ShiftCampaignBody(RequestModel):
    """The distance by which a campaign's posts move, and which of them."""

    model_config = ConfigDict(title="ShiftCampaign")

    by: Annotated[str, AfterValidator(check_duration), Field(max_length=40)] = Field(examples=["P2D"])
    """An ISO 8601 duration such as `P2D`, `-P1W` or `PT90M`. Weeks and days move the wall time in a post's `timezone`,
    so 09:00 stays 09:00 when clocks change; hours and minutes move the instant."""
    from_: Annotated[str, Field(max_length=40)] | None = Field(
        None,
        alias="from",
        description=f"Move only posts that are scheduled from then on. {_BOUND}",
        examples=["2030-11-24"],
    )
    to: Annotated[str, Field(max_length=40)] | None = Field(
        None,
        description=f"Move only posts that are scheduled until then; a date covers its whole day. {_BOUND}",
        examples=["2030-11-30"],
    )
    dry_run: bool = Field(False, description="Answer what would be done, and change nothing.", examples=[False])


@view("CampaignProgress")
class ProgressView(TypedDict):
    """The posts of a campaign, counted at `asOf`."""

    asOf: Annotated[Moment, described("When they were counted, at most a second ago.")]
    total: Annotated[int, described("All posts.", 10_000)]
    draft: Annotated[int, described("Drafts.", 5)]
    scheduled: Annotated[int, described("Posts that are not due yet.", 9_588)]
    publishing: Annotated[int, described("Posts that are due, and are being published or wait.", 2)]
    published: Annotated[int, described("Posts that are public on all platforms.", 400)]
    partial: Annotated[int, described("Posts that are public on some platforms.", 1)]
    failed: Annotated[int, described("Posts that are public nowhere.", 4)]
    skipped: Annotated[int, described("Drafts with a `skipReason`.", 5)]
    behind: Annotated[int, example(212)]
    """Posts whose newest version is still on its way to its workflow; nothing waits for it."""


@view("Campaign")
class CampaignView(TypedDict):
    """A campaign, and the progress of its posts."""

    id: Annotated[str, described("The campaign's id.", "cmp_019bc10e51307c4f8d2b7f3a6c0e9d41")]
    name: Annotated[str, described("Its name.", "Black Friday")]
    status: CampaignStatus
    """`draft`: its posts are drafts until it is started. `ended`: no post of it is published any more."""
    tags: Annotated[list[str], described("Your labels of the campaign.", ["bf30"])]
    timezone: Annotated[str, described("The zone of its times and days.", "Europe/Berlin")]
    startsAt: Annotated[Moment | None, described("No post may be due before.")]
    startsAtLocal: Annotated[str | None, described(_LOCAL, "2030-11-01T00:00:00")]
    endsAt: Annotated[Moment | None, described("No post is published from then on; when it was ended, if it was.")]
    endsAtLocal: Annotated[str | None, described(_LOCAL, "2031-02-01T00:00:00")]
    blackouts: Annotated[list[BlackoutView], described("Days on which no post of it is published.")]
    progress: ProgressView
    nextAt: Annotated[Moment | None, described("When its next scheduled post is due.")]
    lastAt: Annotated[Moment | None, described("When its last scheduled post is due.")]
    series: Annotated[int, described("Its series, whose posts are made ahead of their times.", 2)]
    pause: Annotated[PauseView | None, described("Its pause, while it is paused.")]
    version: Annotated[int, described("It rises with every change of the campaign.", 7)]
    createdAt: Annotated[Moment, described("When it was created.")]
    updatedAt: Annotated[Moment, described("When it last changed.")]
    operationId: NotRequired[Annotated[str, example("op_019bc10e51307c4f8d2b7f3a6c0e9d41")]]
    """The operation of this request."""
    result: NotRequired[Annotated[OperationResult, described("What the operation of this request has done.", {})]]


@view("CampaignList")
class CampaignPageView(TypedDict):
    """One page of campaigns."""

    campaigns: Annotated[list[CampaignView], described("The newest first.")]
    cursor: Annotated[NextCursor, Field(examples=["eyJpZCI6ImNtcF8wMTlhIn0="])]
    hasMore: Annotated[HasMore, Field(examples=[False])]


@view("DeletedCampaign")
class DeletedCampaignView(TypedDict):
    """A campaign that was deleted, and the outcome of its posts."""

    id: Annotated[str, described("The campaign's id.", "cmp_019bc10e51307c4f8d2b7f3a6c0e9d41")]
    deleted: Annotated[bool, described("Always true.", True)]
    operationId: Annotated[str, described("The operation of this request.", "op_019bc10e51307c4f8d2b7f3a6c0e9d41")]
    result: Annotated[OperationResult, described("How many posts were deleted, and how many left the campaign.", {})]


@view("CampaignOperation")
class OperationView(TypedDict):
    """An operation on a campaign."""

    id: Annotated[str, described("The operation's id.", "op_019bc10e51307c4f8d2b7f3a6c0e9d41")]
    kind: OperationKind
    at: Annotated[Moment, described("When it was done.")]
    by: ActorView
    result: Annotated[OperationResult, described("What it has done, in counts and ids.", {"drafts": 12})]


@view("OperationList")
class OperationPageView(TypedDict):
    """One page of operations."""

    operations: Annotated[list[OperationView], described("The newest first.")]
    cursor: Annotated[NextCursor, Field(examples=["eyJpZCI6Im9wXzAxOWEifQ=="])]
    hasMore: Annotated[HasMore, Field(examples=[False])]


def campaign_view(campaign: Campaign, counted: CountedProgress, series: int, pause: PauseView | None) -> CampaignView:
    """Return a campaign as clients read it."""
    progress = counted.progress
    return CampaignView(
        id=campaign.id,
        name=campaign.name,
        status=campaign_status(campaign),
        tags=campaign.tags,
        timezone=campaign.timezone,
        startsAt=_moment(campaign.starts_at),
        startsAtLocal=local_time(campaign.starts_at, campaign.timezone) if campaign.starts_at else None,
        endsAt=_moment(campaign.ends_at),
        endsAtLocal=local_time(campaign.ends_at, campaign.timezone) if campaign.ends_at else None,
        blackouts=[blackout_view(blackout) for blackout in campaign.blackouts],
        progress=progress_view(counted),
        nextAt=_moment(progress.next_at),
        lastAt=_moment(progress.last_at),
        series=series,
        pause=pause,
        version=campaign.version,
        createdAt=rfc3339(campaign.created_at),
        updatedAt=rfc3339(campaign.updated_at),
    )


def progress_view(counted: CountedProgress) -> ProgressView:
    """Return the progress of a campaign as clients read it."""
    progress = counted.progress
    return ProgressView(
        asOf=rfc3339(counted.as_of),
        total=progress.total,
        draft=progress.by_status[PostStatus.DRAFT],
        scheduled=progress.by_status[PostStatus.SCHEDULED],
        publishing=progress.by_status[PostStatus.PUBLISHING],
        published=progress.by_status[PostStatus.PUBLISHED],
        partial=progress.by_status[PostStatus.PARTIAL],
        failed=progress.by_status[PostStatus.FAILED],
        skipped=progress.skipped,
        behind=progress.behind,
    )


def operation_view(operation: Operation, names: Mapping[str, str]) -> OperationView:
    """Return an operation as clients read it; `names` are those of API keys by their ids."""
    name = names.get(operation.actor_id or "")
    return OperationView(
        id=operation.id,
        kind=OperationKind(operation.kind),
        at=rfc3339(operation.at),
        by=actor_view(operation.actor_type, operation.actor_id, name, identities=False),
        result=operation.result,
    )


def _moment(value: datetime | None) -> str | None:
    return rfc3339(value) if value else None
