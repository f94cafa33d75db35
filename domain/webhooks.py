"""Events, and the endpoints that get them: how requests are signed and repeated, and when an endpoint is given up."""

import base64
import hashlib
import hmac
import random
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
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


EVERY = "*"
"""The name for all events but `post.scheduled`, which an import makes by thousands, and `webhook.test`."""
SECRET_PREFIX = "whsec_"  # noqa: S105 the beginning of all of them
MOST_ENDPOINTS = 20
"""Endpoints of a workspace; our choice."""
MOST_WAITING = 100_000
"""Events that may wait for one endpoint. The oldest ones beyond are dropped; our choice."""
LONGEST_OVERLAP = timedelta(hours=168)
"""How long an older secret may stay in use beside a new one."""
ANSWER_WITHIN_S = 15.0
"""Seconds in which an endpoint must have answered."""
LARGEST_RESPONSE = 4096
"""Bytes of an answer that are read and kept."""

SCHEDULE: Sequence[timedelta] = tuple(
    timedelta(seconds=seconds) for seconds in (0, 5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400)
)
"""The wait before each attempt, after the one before. Source: Standard Webhooks 1.0, "Deliverability"."""
_SPREAD = 0.2
"""The part of a wait by which it is shorter or longer, by chance."""
_LONGEST_ASKED = timedelta(hours=24)
"""The longest wait that an endpoint may ask for by Retry-After."""
_BUSY = frozenset({429, 502, 504})
_BUSY_WAIT = timedelta(seconds=60)
"""The shortest wait after an answer of an endpoint, or of a proxy before it, that is too busy."""

OPENS_AFTER = 5
"""Failures in a row after which only one event at a time is sent, as a probe."""
_PROBES: Sequence[timedelta] = tuple(timedelta(seconds=seconds) for seconds in (30, 60, 120, 300, 600, 900))
"""The waits before probes; the last one repeats."""
OFF_AFTER = timedelta(days=5)
"""How long an endpoint must have failed before it is switched off. Source: Svix, "Disabling failing endpoints"."""
OFF_AFTER_FAILURES = 10
"""How many failures that must have been: an endpoint with few events is not switched off for two of them."""


class DeliveryState(StrEnum):
    """The state of the delivery of one event to one endpoint."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    EXHAUSTED = "exhausted"
    """Its schedule is over."""
    DROPPED = "dropped"
    """More events than MOST_WAITING waited, or it is not kept any more."""


class DeliveryCause(StrEnum):
    """The reason why an event is delivered."""

    EVENT = "event"
    TEST = "test"
    """A client asked for a test: it is sent in any case."""
    REDELIVERY = "redelivery"
    RECOVERY = "recovery"


class DisabledReason(StrEnum):
    """The reason why an endpoint gets no events."""

    REQUEST = "request"
    """A client has switched it off."""
    GONE = "gone"
    """It has answered 410."""
    FAILING = "failing"
    """It has failed for OFF_AFTER."""


class WebhookStatus(StrEnum):
    """The status of an endpoint, as clients read it."""

    UNCHECKED = "unchecked"
    """Nothing was delivered yet."""
    ACTIVE = "active"
    FAILING = "failing"
    DISABLED = "disabled"


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of an endpoint, or its lack."""

    ms: int
    http_status: int | None
    error: str | None
    """Why it is a failure; None if the event is delivered."""
    response: str | None = None
    retry_after: timedelta | None = None

    @property
    def is_delivered(self) -> bool:
        """Return whether the endpoint has taken the event."""
        return self.error is None

    @property
    def is_gone(self) -> bool:
        """Return whether the endpoint asks for no more events."""
        return self.http_status == 410


def new_secret() -> str:
    """Return a new secret, as Standard Webhooks write it."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def derive_secret(api_key: str, seed: str) -> str:
    """Return the secret of an API key and a random text: the same for the same two."""
    digest = hmac.digest(api_key.encode(), f"secret of a webhook\n{seed}".encode(), hashlib.sha256)
    return SECRET_PREFIX + base64.b64encode(digest).decode()


def is_secret(text: str) -> bool:
    """Return whether a text is a secret as Standard Webhooks write it: 24 to 64 bytes in base64."""
    try:
        raw = base64.b64decode(text.removeprefix(SECRET_PREFIX), validate=True)
    except ValueError:
        return False
    return text.startswith(SECRET_PREFIX) and 24 <= len(raw) <= 64


def sign(secrets_in_use: Sequence[str], event_id: str, at: datetime, body: bytes) -> dict[str, str]:
    """Return the headers that sign a request, by secrets of which the newest is first.

    The header of the API's contract has one signature, so it stays with the oldest secret that is in use.
    """
    seconds = str(int(at.timestamp()))
    content = f"{event_id}.{seconds}.".encode() + body
    signatures = [
        base64.b64encode(
            hmac.digest(base64.b64decode(secret.removeprefix(SECRET_PREFIX)), content, hashlib.sha256)
        ).decode()
        for secret in secrets_in_use
    ]
    return {
        "webhook-id": event_id,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
        "X-SocialSyncerAPI-Signature": hmac.digest(secrets_in_use[-1].encode(), body, hashlib.sha256).hex(),
    }


def next_attempt(attempts: int, answer: Answer, now: datetime) -> datetime | None:
    """Return when an event is sent again whose attempt number `attempts` has failed; None if its schedule is over."""
    if attempts >= len(SCHEDULE):
        return None
    wait = SCHEDULE[attempts] * random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311 no secret
    return now + max(wait, _asked_wait(answer))


def next_probe(failures: int, answer: Answer, now: datetime) -> datetime | None:
    """Return when an endpoint is tried next that has failed so often in a row; None if its events are all sent."""
    if failures < OPENS_AFTER:
        return None
    wait = _PROBES[min(failures - OPENS_AFTER, len(_PROBES) - 1)]
    return now + max(wait, _asked_wait(answer))


def is_to_disable(failures: int, failing_since: datetime, now: datetime) -> bool:
    """Return whether an endpoint has failed for so long that it is switched off."""
    return failures >= OFF_AFTER_FAILURES and now - failing_since >= OFF_AFTER


def _asked_wait(answer: Answer) -> timedelta:
    if answer.http_status in (429, 503) and answer.retry_after is not None:
        return min(answer.retry_after, _LONGEST_ASKED)
    return _BUSY_WAIT if answer.http_status is None or answer.http_status in _BUSY else timedelta(0)
