"""Events as clients read them, and the form of each event's data."""

from collections.abc import Mapping
from typing import Annotated, Any, Literal, NotRequired

from pydantic import Field
from typing_extensions import TypedDict

from api.views import HasMore, Moment, PlatformName, ValueOf, described, example, view
from domain.codes import TargetCode
from domain.post import ErrorCategory, HoldReason, PostStatus, TargetStatus
from domain.preflight import PreflightReason
from domain.webhooks import EventType

_POST_ID = described("The post's id.", "post_019bc10f27c07a7d4e9a54c1d9e3f0a1")
_CAMPAIGN = described("The campaign that the post belongs to, if any.", None)
_EXTERNAL_ID = described("The post's id in the client's own system, if any.", "bf-001")
_TAGS = described("The post's tags.", ["bf26"])
_ACCOUNT_ID = described("The account's id.", "ig_123")


@view()
class TargetEventDataView(TypedDict):
    """The state of a post on one account, when the event happened."""

    postId: Annotated[str, _POST_ID]
    platform: PlatformName
    platformPostId: Annotated[str | None, described("The post's id on the platform.", "1234567890")]
    platformPostUrl: Annotated[str | None, example("https://x.com/i/status/1234567890")]
    """The post's address on the platform."""
    status: Annotated[Annotated[str, ValueOf(TargetStatus)], described("The status on this account.", "published")]
    accountId: Annotated[str, _ACCOUNT_ID]
    publishedAt: Annotated[Moment | None, described("When it became public.")]
    campaignId: Annotated[str | None, _CAMPAIGN]
    externalId: Annotated[str | None, _EXTERNAL_ID]
    tags: Annotated[list[str], _TAGS]
    error: Annotated[str | None, described("Why it failed, is held or unconfirmed, as a sentence.", None)]
    errorCode: Annotated[TargetCode | None, described("The same for a program.", None)]
    errorCategory: Annotated[Annotated[str, ValueOf(ErrorCategory)] | None, described("Who must act on it.", None)]
    retryable: Annotated[bool | None, described("Whether a retry can help without any change.", None)]
    holdReason: Annotated[Annotated[str, ValueOf(HoldReason)] | None, described("Why it is held.", None)]
    nextAttemptAt: Annotated[Moment | None, described("When it is tried again, if that is known.")]
    looking: Annotated[bool, example(False)]
    """Of an unconfirmed target: whether this service still tries to confirm it."""
    previousPlatformPostId: Annotated[str | None, example(None)]
    """Of an edit: the id on the platform of the version before."""
    risk: Annotated[Annotated[str, ValueOf(PreflightReason)] | None, example(None)]
    """Why a scheduled target would not be published as it is."""


@view()
class PostOutcomeView(TypedDict):
    """The outcome of a post on one account."""

    platform: PlatformName
    accountId: Annotated[str, _ACCOUNT_ID]
    status: Annotated[Annotated[str, ValueOf(TargetStatus)], described("The status on this account.", "published")]
    platformPostId: Annotated[str | None, described("The post's id on the platform.", "1234567890")]
    platformPostUrl: Annotated[str | None, example("https://x.com/i/status/1234567890")]
    """The post's address on the platform."""
    errorCode: Annotated[TargetCode | None, described("Why it failed, for a program.", None)]


@view()
class PostEventDataView(TypedDict):
    """The state of a post as a whole, when the event happened."""

    postId: Annotated[str, _POST_ID]
    status: Annotated[Annotated[str, ValueOf(PostStatus)] | Literal["deleted"], example("published")]
    """The post's status; `deleted` if it was cancelled by its deletion."""
    scheduledFor: Annotated[Moment | None, described("When it is, or was, to be published.")]
    publishedAt: Annotated[Moment | None, described("When the first of its targets became public.")]
    campaignId: Annotated[str | None, _CAMPAIGN]
    externalId: Annotated[str | None, _EXTERNAL_ID]
    tags: Annotated[list[str], _TAGS]
    skipReason: Annotated[str | None, described("Why it became a draft, if the end of a pause has skipped it.", None)]
    platforms: Annotated[list[PostOutcomeView], described("The outcome on each account, if it is completed.")]


@view()
class LatePostEventDataView(TypedDict):
    """A post that had not begun a minute after its time."""

    postId: Annotated[str, _POST_ID]
    status: Annotated[Annotated[str, ValueOf(PostStatus)], described("The post's status.", "scheduled")]
    dueAt: Annotated[Moment, described("When it was due.")]
    campaignId: Annotated[str | None, _CAMPAIGN]
    externalId: Annotated[str | None, _EXTERNAL_ID]
    tags: Annotated[list[str], _TAGS]


@view()
class AccountEventDataView(TypedDict):
    """An account."""

    platform: PlatformName
    accountId: Annotated[str, _ACCOUNT_ID]
    refusal: NotRequired[Annotated[str | None, described("The platform's reason for a refusal.", None)]]
    refusalCode: NotRequired[Annotated[str | None, described("The same for a program.", None)]]
    endsAt: NotRequired[Annotated[Moment, described("When its connection ends.")]]


@view()
class CampaignEventDataView(TypedDict):
    """A campaign."""

    campaignId: Annotated[str, described("The campaign's id.", "cmp_019bc10f27c07a7d4e9a54c1d9e3f0a1")]
    name: Annotated[str, described("Its name.", "Black Friday")]
    status: Annotated[str, described("Its status.", "paused")]


@view()
class WebhookEventDataView(TypedDict):
    """An endpoint that is tested, or that this service has switched off."""

    webhookId: Annotated[str, described("The endpoint's id.", "wh_019bc10f27c07a7d4e9a54c1d9e3f0a1")]
    name: NotRequired[Annotated[str | None, described("Its name.", "CMS")]]
    reason: NotRequired[Annotated[Literal["gone", "failing"], described("Why it is switched off.", "failing")]]
    failingSince: NotRequired[Annotated[Moment | None, described("Since when every request to it has failed.")]]
    lastEventId: NotRequired[Annotated[str | None, example("evt_019bc10f27c07a7d4e9a54c1d9e3f0a1")]]
    """The event that failed last."""


@view()
class KeyEventDataView(TypedDict):
    """An API key."""

    keyId: Annotated[str, described("The key's id.", "key_019bc10e51307c4f8d2b7f3a6c0e9d41")]
    name: Annotated[str, described("Its name.", "Editorial office")]
    endsAt: Annotated[Moment, described("When it expires.")]


@view("WorkspaceEvent")
class EventView(TypedDict):
    """An event of a post, an account, a campaign or a key."""

    id: Annotated[str, example("evt_019bc10f27c07a7d4e9a54c1d9e3f0a1")]
    """The event's id. An event that is read or delivered twice has the same one."""
    event: Annotated[Annotated[str, ValueOf(EventType)], described("What has happened.", "post.published")]
    timestamp: Annotated[Moment, described("When it happened.")]
    data: Annotated[
        TargetEventDataView
        | PostEventDataView
        | LatePostEventDataView
        | AccountEventDataView
        | CampaignEventDataView
        | WebhookEventDataView
        | KeyEventDataView,
        described("Ids and states; its form depends on `event`. Later versions may add fields."),
    ]


@view("EventFeed")
class FeedView(TypedDict):
    """Some events of the workspace, in the order in which they can be continued."""

    events: Annotated[list[EventView], described("The oldest first.")]
    cursor: Annotated[str | None, example(None)]
    """Send it as `after` to continue, also if there was no event. Null before the first event."""
    hasMore: Annotated[HasMore, Field(examples=[False])]
    since: Annotated[Moment, described("The feed has every event that was committed since then.")]


EVENTS: Mapping[EventType, tuple[str, type[Any]]] = {
    EventType.POST_PUBLISHED: ("A post became public on an account", TargetEventDataView),
    EventType.POST_FAILED: ("A post has failed on an account", TargetEventDataView),
    EventType.POST_UNCONFIRMED: ("A platform's answer was lost, and the post may be public", TargetEventDataView),
    EventType.POST_HELD: ("A post waits for its account, the operator or the end of a pause", TargetEventDataView),
    EventType.POST_EDITED: ("An edit is public", TargetEventDataView),
    EventType.POST_AT_RISK: ("A scheduled post would fail as it is", TargetEventDataView),
    EventType.POST_COMPLETED: ("All accounts of a post have an outcome", PostEventDataView),
    EventType.POST_SCHEDULED: ("A post was scheduled", PostEventDataView),
    EventType.POST_CANCELLED: ("A scheduled post became a draft or was deleted", PostEventDataView),
    EventType.POST_LATE: ("A post had not begun a minute after its time", LatePostEventDataView),
    EventType.ACCOUNT_CONNECTED: ("An account was connected", AccountEventDataView),
    EventType.ACCOUNT_RECONNECTED: ("An account was connected again", AccountEventDataView),
    EventType.ACCOUNT_DISCONNECTED: ("An account was removed", AccountEventDataView),
    EventType.ACCOUNT_REFUSED: ("A platform does not accept an account any more", AccountEventDataView),
    EventType.ACCOUNT_ACCEPTED: ("A platform accepts an account again", AccountEventDataView),
    EventType.ACCOUNT_EXPIRING: ("The connection of an account ends within 7 days", AccountEventDataView),
    EventType.CAMPAIGN_PAUSED: ("A campaign was paused", CampaignEventDataView),
    EventType.CAMPAIGN_RESUMED: ("The pause of a campaign has ended", CampaignEventDataView),
    EventType.CAMPAIGN_ENDED: ("A campaign has ended", CampaignEventDataView),
    EventType.CAMPAIGN_COMPLETED: ("Nothing of an ended campaign is on its way any more", CampaignEventDataView),
    EventType.WEBHOOK_DISABLED: ("This service has switched off another webhook", WebhookEventDataView),
    EventType.WEBHOOK_TEST: ("A test of this webhook", WebhookEventDataView),
    EventType.API_KEY_EXPIRING: ("An API key expires within 7 days", KeyEventDataView),
}
"""What each event says, and the schema of its `data`."""
