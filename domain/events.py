"""The events of a workspace's posts, accounts and keys, as clients read them."""

from datetime import timedelta
from enum import StrEnum

KEPT = timedelta(days=30)
"""How long an event is kept, and how long a workspace listens after its feed was last read."""


class EventType(StrEnum):
    """A kind of event. Triggers of the database write these words (store/functions/emit_*.sql)."""

    POST_PUBLISHED = "post.published"
    POST_FAILED = "post.failed"
    POST_UNCONFIRMED = "post.unconfirmed"
    POST_HELD = "post.held"
    POST_EDITED = "post.edited"
    POST_AT_RISK = "post.at_risk"
    POST_COMPLETED = "post.completed"
    POST_SCHEDULED = "post.scheduled"
    POST_CANCELLED = "post.cancelled"
    POST_LATE = "post.late"
    ACCOUNT_CONNECTED = "account.connected"
    ACCOUNT_RECONNECTED = "account.reconnected"
    ACCOUNT_DISCONNECTED = "account.disconnected"
    ACCOUNT_REFUSED = "account.refused"
    ACCOUNT_ACCEPTED = "account.accepted"
    ACCOUNT_EXPIRING = "account.expiring"
    CAMPAIGN_PAUSED = "campaign.paused"
    CAMPAIGN_RESUMED = "campaign.resumed"
    CAMPAIGN_ENDED = "campaign.ended"
    CAMPAIGN_COMPLETED = "campaign.completed"
    WEBHOOK_DISABLED = "webhook.disabled"
    WEBHOOK_TEST = "webhook.test"
    API_KEY_EXPIRING = "api_key.expiring"
