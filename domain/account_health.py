"""The health of an account's connection, by what is known of its tokens: pure, and no platform is asked."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from domain.schedule import rfc3339

WARNED_BEFORE = timedelta(days=14)
"""How long before its end a connection that nothing renews is worth a warning."""
_FAILING_FOR = timedelta(days=1)
"""How long renewals may fail without a warning while the access token is still valid."""


class Health(StrEnum):
    """The state of an account, the worst last."""

    HEALTHY = "healthy"
    WARNING = "warning"
    NEEDS_RECONNECT = "needs_reconnect"


class HealthReason(StrEnum):
    """Why an account is not healthy."""

    REFUSED = "refused"
    """Its platform does not accept its tokens."""
    LOST_IN_RENEWAL = "lost_in_renewal"
    """A renewal was interrupted before its answer could be stored, and its platform refuses the old tokens."""
    EXPIRED = "expired"
    RENEWAL_REFUSED = "renewal_refused"
    """Its tokens still work, and its platform has refused to renew them."""
    PERMISSION_MISSING = "permission_missing"
    """A permission without which nothing can be published."""
    EXPIRING = "expiring"
    RENEWAL_INTERRUPTED = "renewal_interrupted"
    """A renewal was interrupted before its answer could be stored; whether the old tokens work is not known yet."""
    RENEWAL_FAILING = "renewal_failing"
    APP_REFUSED = "app_refused"
    """Its platform refuses the operator's app."""
    PERMISSION_DECLINED = "permission_declined"
    """A permission without which something beside publishing does not work."""
    CHECK_FAILED = "check_failed"
    """The last check could not find out, or found something that does not stop publishing."""


@dataclass(frozen=True, slots=True)
class TokenFacts:
    """The facts about an account's tokens. Times are None if there is no end, or none is known."""

    label: str
    """The platform's name for people."""
    expires_at: datetime | None = None
    """When the access token ends."""
    connection_ends_at: datetime | None = None
    """When the connection ends if its owner does nothing; None if it is renewed in time."""
    refused_at: datetime | None = None
    refusal: str | None = None
    """The platform's reason for refusing the account, as a sentence."""
    access_refused: bool = False
    """Whether the platform has refused the access token since it last accepted one."""
    renewal_refused: bool = False
    """Whether the platform has refused this account's refresh token."""
    renewal_interrupted: bool = False
    """Whether a renewal's answer may be lost, and the refresh token with it."""
    renewal_lost: bool = False
    """Whether the platform has refused the account, or to renew it, after such a renewal."""
    renewal_failures: int = 0
    """Renewals that have failed in a row for a reason that may pass."""
    renewed_at: datetime | None = None
    """When it was last renewed, or connected."""
    app_refusal: str | None = None
    """The platform's reason for refusing the operator's app, as a sentence."""
    missing: tuple[str, ...] = ()
    """Permissions without which nothing can be published."""
    declined: tuple[str, ...] = ()
    """Other permissions that were asked for and not granted."""
    notes: tuple[str, ...] = field(default=())
    """Sentences of the last check."""


@dataclass(frozen=True, slots=True)
class HealthReport:
    """A judgement on an account; the reason is the most important one."""

    health: Health
    token_valid: bool
    reason: HealthReason | None
    recommendations: tuple[str, ...]


def report_on(facts: TokenFacts, now: datetime) -> HealthReport:
    """Return an account's health."""
    findings = list(_findings(facts, now))
    worst = max((health for health, _, _ in findings), key=list(Health).index, default=Health.HEALTHY)
    ended = facts.connection_ends_at is not None and facts.connection_ends_at <= now
    return HealthReport(
        worst,
        token_valid=facts.refused_at is None and not facts.access_refused and not ended,
        reason=findings[0][1] if findings else None,
        recommendations=tuple(sentence for _, _, sentence in findings),
    )


def _findings(facts: TokenFacts, now: datetime) -> Iterator[tuple[Health, HealthReason, str]]:
    ends = facts.connection_ends_at
    yield from _ended(facts, now)
    if facts.missing:
        sentence = (
            f"Nothing can be published without the {_named(facts.missing)}. Reconnect the account, and grant what is "
            "asked for."
        )
        yield Health.NEEDS_RECONNECT, HealthReason.PERMISSION_MISSING, sentence
    if facts.refused_at is None and not facts.renewal_refused and ends and now < ends <= now + WARNED_BEFORE:
        sentence = f"Token expires in {_days(ends - now)}. Consider reconnecting."
        yield Health.WARNING, HealthReason.EXPIRING, sentence
    yield from _failing(facts, now)
    if facts.app_refusal is not None:
        sentence = f"{facts.app_refusal} The operator of this service must act; reconnecting does not help."
        yield Health.WARNING, HealthReason.APP_REFUSED, sentence
    if facts.declined:
        sentence = f"Some things do not work without the {_named(facts.declined)}. Reconnect to grant it."
        yield Health.WARNING, HealthReason.PERMISSION_DECLINED, sentence
    for note in facts.notes:
        yield Health.WARNING, HealthReason.CHECK_FAILED, note


def _ended(facts: TokenFacts, now: datetime) -> Iterator[tuple[Health, HealthReason, str]]:
    """Yield why a connection has ended for good, if it has."""
    label, ends = facts.label, facts.connection_ends_at
    if facts.refused_at is not None:
        sentence = facts.refusal or f"{label} no longer accepts this connection. Reconnect the account."
        reason = HealthReason.LOST_IN_RENEWAL if facts.renewal_lost else HealthReason.REFUSED
        yield Health.NEEDS_RECONNECT, reason, f"{sentence} Its posts are held until then."
    elif facts.renewal_lost:
        sentence = (
            f"A renewal of this connection was interrupted before the answer could be stored, and {label} refuses to "
            f"renew it again.{_works_until(facts, now)} Reconnect the account."
        )
        yield Health.NEEDS_RECONNECT, HealthReason.LOST_IN_RENEWAL, sentence
    elif ends is not None and ends <= now:
        sentence = f"The connection ended at {rfc3339(ends)}. Reconnect the account."
        yield Health.NEEDS_RECONNECT, HealthReason.EXPIRED, sentence
    elif facts.renewal_refused:
        sentence = f"{label} refuses to renew this connection.{_works_until(facts, now)} Reconnect the account."
        yield Health.NEEDS_RECONNECT, HealthReason.RENEWAL_REFUSED, sentence


def _failing(facts: TokenFacts, now: datetime) -> Iterator[tuple[Health, HealthReason, str]]:
    """Yield why renewals do not succeed at the moment, if they may succeed later."""
    label = facts.label
    if facts.refused_at is not None or facts.renewal_refused:
        return
    if facts.renewal_interrupted:
        state = (
            f"{label} does not accept the access token any more, and is asked again to renew it"
            if facts.access_refused
            else f"The access token is used until {label} refuses it, and then {label} is asked again to renew it"
        )
        sentence = (
            f"A renewal of this connection was interrupted before the answer could be stored. {state}. If that fails, "
            "the account must be reconnected."
        )
        yield Health.WARNING, HealthReason.RENEWAL_INTERRUPTED, sentence
    elif facts.renewal_failures and _has_warning(facts, now):
        sentence = (
            f"{label} could not be asked to renew this connection {facts.renewal_failures} times in a row. It is tried "
            "again; there is nothing to do yet."
        )
        yield Health.WARNING, HealthReason.RENEWAL_FAILING, sentence


def _works_until(facts: TokenFacts, now: datetime) -> str:
    """Return until when the access token works, as a sentence; empty if it works no longer, or that is not known."""
    if facts.access_refused or facts.expires_at is None or facts.expires_at <= now:
        return ""
    return f" It works until {rfc3339(facts.expires_at)}."


def _has_warning(facts: TokenFacts, now: datetime) -> bool:
    if facts.access_refused:
        return True
    if facts.expires_at is not None and facts.expires_at <= now:
        return True
    return facts.expires_at is None and facts.renewed_at is not None and facts.renewed_at <= now - _FAILING_FOR


def _named(permissions: tuple[str, ...]) -> str:
    return f"permission{'s' if len(permissions) > 1 else ''} {', '.join(permissions)}"


def _days(remaining: timedelta) -> str:
    if remaining < timedelta(days=1):
        return "less than a day"
    return f"{remaining.days} day{'s' if remaining.days != 1 else ''}"
