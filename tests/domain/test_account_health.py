"""The health of accounts, by what is known about their tokens."""

from datetime import UTC, datetime, timedelta

import pytest

from domain.account_health import Health, HealthReason, TokenFacts, report_on

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)


def facts(**known: object) -> TokenFacts:
    return TokenFacts(label="X", **known)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("known", "health", "valid", "reason", "message"),
    [
        ({}, Health.HEALTHY, True, None, ""),
        ({"connection_ends_at": NOW + 20 * DAY}, Health.HEALTHY, True, None, ""),
        (
            {"connection_ends_at": NOW + 3 * DAY + timedelta(hours=1)},
            Health.WARNING,
            True,
            HealthReason.EXPIRING,
            "Token expires in 3 days. Consider reconnecting.",
        ),
        (
            {"connection_ends_at": NOW + timedelta(hours=1)},
            Health.WARNING,
            True,
            HealthReason.EXPIRING,
            "Token expires in less than a day. Consider reconnecting.",
        ),
        (
            {"connection_ends_at": NOW - DAY},
            Health.NEEDS_RECONNECT,
            False,
            HealthReason.EXPIRED,
            "The connection ended at 2026-02-28T12:00:00Z. Reconnect the account.",
        ),
        (
            {"refused_at": NOW, "refusal": "X has suspended jane."},
            Health.NEEDS_RECONNECT,
            False,
            HealthReason.REFUSED,
            "X has suspended jane. Its posts are held until then.",
        ),
        (
            {"renewal_refused": True, "expires_at": NOW + timedelta(hours=1), "renewal_failures": 1},
            Health.NEEDS_RECONNECT,
            True,
            HealthReason.RENEWAL_REFUSED,
            "X refuses to renew this connection. It works until 2026-03-01T13:00:00Z. Reconnect the account.",
        ),
        (
            {"renewal_lost": True, "renewal_refused": True, "connection_ends_at": NOW - DAY, "expires_at": NOW - DAY},
            Health.NEEDS_RECONNECT,
            False,
            HealthReason.LOST_IN_RENEWAL,
            (
                "A renewal of this connection was interrupted before the answer could be stored, and X refuses to "
                "renew it again. Reconnect the account."
            ),
        ),
        (
            {"refused_at": NOW, "refusal": "A renewal was interrupted.", "renewal_lost": True},
            Health.NEEDS_RECONNECT,
            False,
            HealthReason.LOST_IN_RENEWAL,
            "A renewal was interrupted. Its posts are held until then.",
        ),
        (
            {"renewal_interrupted": True, "renewal_failures": 1, "expires_at": NOW + timedelta(hours=1)},
            Health.WARNING,
            True,
            HealthReason.RENEWAL_INTERRUPTED,
            (
                "A renewal of this connection was interrupted before the answer could be stored. The access token is "
                "used until X refuses it, and then X is asked again to renew it. If that fails, the account must be "
                "reconnected."
            ),
        ),
        ({"renewal_failures": 3, "expires_at": NOW + timedelta(minutes=9)}, Health.HEALTHY, True, None, ""),
        (
            {"renewal_failures": 3, "expires_at": NOW - timedelta(minutes=9)},
            Health.WARNING,
            True,
            HealthReason.RENEWAL_FAILING,
            (
                "X could not be asked to renew this connection 3 times in a row. It is tried again; there is nothing "
                "to do yet."
            ),
        ),
        (
            {"missing": ("tweet.write",)},
            Health.NEEDS_RECONNECT,
            True,
            HealthReason.PERMISSION_MISSING,
            (
                "Nothing can be published without the permission tweet.write. Reconnect the account, and grant what is "
                "asked for."
            ),
        ),
        (
            {"declined": ("a", "b")},
            Health.WARNING,
            True,
            HealthReason.PERMISSION_DECLINED,
            "Some things do not work without the permissions a, b. Reconnect to grant it.",
        ),
        (
            {"app_refusal": "X refuses the app."},
            Health.WARNING,
            True,
            HealthReason.APP_REFUSED,
            "X refuses the app. The operator of this service must act; reconnecting does not help.",
        ),
    ],
)
def test_health_follows_the_tokens(
    known: dict[str, object], health: Health, valid: bool, reason: HealthReason | None, message: str
) -> None:
    report = report_on(facts(**known), NOW)
    assert (report.health, report.token_valid, report.reason) == (health, valid, reason)
    assert report.recommendations == ((message,) if message else ())


def test_all_findings_are_listed_and_the_worst_counts() -> None:
    report = report_on(facts(declined=("a",), refused_at=NOW, app_refusal="X refuses the app."), NOW)
    assert report.health is Health.NEEDS_RECONNECT
    assert report.reason is HealthReason.REFUSED
    assert len(report.recommendations) == 3
