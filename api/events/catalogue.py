"""The form of each event's data, for the document."""

from collections.abc import Mapping
from typing import Any

from api.events.schemas import (
    AccountEventDataView,
    CampaignEventDataView,
    KeyEventDataView,
    LatePostEventDataView,
    PostEventDataView,
    TargetEventDataView,
    WebhookEventDataView,
)
from domain.webhooks import EventType

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
