"""Tokens are renewed before they expire, not for ever, and not all at the same time."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import SecretStr

from accounts.facts import (
    at_connecting,
    at_renewal,
    is_due,
    may_rotate,
    pause_after,
    token_rules,
    token_rules_for,
)
from platforms.access.renewal import Lifetimes
from platforms.registry import platforms
from store.accounts.renewals import Tokens
from store.models import Account

NOW = datetime(2026, 11, 27, 12, tzinfo=UTC)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def credentials(platform: str, **more: Any) -> Any:
    return platforms()[platform].credentials.model_validate({"accessToken": "a", **more})


def row(**columns: Any) -> Account:
    return Account(connected_at=NOW - DAY, renewal_failures=columns.pop("renewal_failures", 0), **columns)


def due(platform: str, now: datetime = NOW, **columns: Any) -> bool:
    return is_due(token_rules(platforms()[platform]), row(**columns), now)


def test_a_token_is_renewed_before_it_ends() -> None:
    fresh = {"renewed_at": NOW, "expires_at": NOW + 2 * HOUR}
    assert not due("twitter", **fresh)
    assert not due("twitter", NOW + timedelta(minutes=109), **fresh)
    assert due("twitter", NOW + timedelta(minutes=111), **fresh)
    assert due("twitter", NOW + 3 * HOUR, **fresh)


def test_short_lived_token_is_not_renewed_at_every_use() -> None:
    short = {"renewed_at": NOW, "expires_at": NOW + timedelta(minutes=1)}
    assert not due("twitter", NOW + timedelta(seconds=29), **short)
    assert due("twitter", NOW + timedelta(seconds=31), **short)


def test_unknown_token_end_is_not_guessed() -> None:
    assert not due("twitter", expires_at=None)


def test_valid_token_is_not_risked_after_a_lost_response() -> None:
    lost: dict[str, Any] = {
        "renewed_at": NOW - 2 * HOUR,
        "expires_at": NOW + HOUR / 60,
        "renewal_started_at": NOW - HOUR / 60,
    }
    assert not due("twitter", **lost)
    assert due("youtube", **lost), "Google's refresh tokens may be sent again"


def test_renewal_pauses_after_a_failure() -> None:
    ended: dict[str, Any] = {"renewed_at": NOW - 2 * HOUR, "expires_at": NOW, "renewal_failures": 1}
    assert not due("twitter", **ended, renew_at=NOW + HOUR)
    assert due("twitter", **ended, renew_at=NOW - HOUR)


def test_endless_tokens_are_not_renewed() -> None:
    lifetimes = Lifetimes(NOW + DAY, None, ("a",))
    for platform in ("mastodon", "facebook", "telegram"):
        assert token_rules(platforms()[platform]) is None
    assert at_connecting(platforms()["facebook"], credentials("facebook"), None, NOW).renew_at is None
    assert at_renewal(platforms()["facebook"], credentials("facebook"), lifetimes, None, NOW).expires_at == NOW + DAY


@pytest.mark.parametrize("name", ["instagram", "threads"])
def test_a_token_without_a_refresh_token_is_renewed_at_half_of_its_lifetime(name: str) -> None:
    platform = platforms()[name]
    # A token that the user supplies may be 59 days old, and the platform renews no token of less than a day.
    first = at_connecting(platform, credentials(name), None, NOW).renew_at
    assert first is not None
    assert 22 * HOUR < first - NOW < 28 * HOUR
    tokens = at_renewal(platform, credentials(name), Lifetimes(NOW + 60 * DAY), None, NOW)
    assert tokens.renew_at is not None
    assert 27 * DAY <= tokens.renew_at - NOW <= 33 * DAY
    assert tokens.refresh_expires_at == tokens.expires_at == NOW + 60 * DAY
    shorter = at_renewal(platform, credentials(name), Lifetimes(NOW + 10 * DAY), None, NOW)
    assert shorter.renew_at is not None
    assert shorter.renew_at - NOW < 6 * DAY


def test_refresh_tokens_are_renewed_before_they_expire_unused() -> None:
    x = credentials("twitter", refreshToken="r")
    first = at_connecting(platforms()["twitter"], x, None, NOW)
    assert first.renew_at is not None
    assert first.expires_at is None, "the platform has reported no end"
    tokens = at_renewal(platforms()["twitter"], x, Lifetimes(NOW + 2 * HOUR), None, NOW)
    assert tokens.renew_at is not None
    assert 27 * DAY <= tokens.renew_at - NOW <= 33 * DAY
    assert tokens.refresh_expires_at == NOW + 180 * DAY
    assert at_renewal(platforms()["reddit"], credentials("reddit", refreshToken="r"), Lifetimes(), None, NOW) == Tokens(
        NOW + DAY, None, None, None
    ), "Reddit's have no end"


def test_reported_token_end_overrides_the_rules() -> None:
    x = credentials("twitter", refreshToken="r")
    lifetimes = Lifetimes(NOW + HOUR, NOW + 7 * DAY)
    tokens = at_renewal(platforms()["twitter"], x, lifetimes, None, NOW)
    assert (tokens.expires_at, tokens.refresh_expires_at) == (NOW + HOUR, NOW + 7 * DAY)
    assumed = at_renewal(platforms()["twitter"], x, Lifetimes(), None, NOW)
    assert assumed.expires_at == NOW + 2 * HOUR


def test_the_end_of_a_refresh_token_that_stays_is_kept() -> None:
    """LinkedIn counts it from the member's consent, and not every response contains it."""
    partner = credentials("linkedin", refreshToken="r")
    tokens = at_renewal(platforms()["linkedin"], partner, Lifetimes(NOW + 60 * DAY), NOW + 200 * DAY, NOW)
    assert tokens.refresh_expires_at == NOW + 200 * DAY
    other = at_renewal(platforms()["linkedin"], credentials("linkedin"), Lifetimes(NOW + 60 * DAY), None, NOW)
    assert other.refresh_expires_at == NOW + 60 * DAY
    assert other.renew_at is None


def test_renewals_of_accounts_connected_together_are_spread() -> None:
    x = credentials("twitter", refreshToken="r")
    times = {at_connecting(platforms()["twitter"], x, None, NOW).renew_at for _ in range(50)}
    assert len(times) > 40


def test_pauses_grow_to_an_hour() -> None:
    pauses = [pause_after(failures).total_seconds() for failures in range(1, 40)]
    assert pauses[0] < 3
    assert all(pause <= 3960 for pause in pauses)
    assert pauses[-1] > 3000
    assert 700 < pauses[8] < 1000


class TestBluesky:
    """Tokens of two kinds: a session that an app password can open again, and an authorization."""

    password = credentials("bluesky", identifier="ann.example")

    def test_the_session_of_an_app_password_is_renewed_and_has_no_end_for_its_owner(self) -> None:
        bluesky = platforms()["bluesky"]
        for tokens in (
            at_connecting(bluesky, self.password, Lifetimes(), NOW),
            at_renewal(bluesky, self.password, Lifetimes(), None, NOW),
        ):
            assert tokens.expires_at == NOW + 2 * HOUR
            assert tokens.refresh_expires_at == NOW + 90 * DAY
            assert tokens.renew_at is not None

    @pytest.mark.parametrize(
        ("client_id", "lifetime_days"), [("https://app.example/a.json", 90), ("http://localhost?x", 14)]
    )
    def test_an_authorization_has_rules_of_its_own(self, client_id: str, lifetime_days: int) -> None:
        bluesky = platforms()["bluesky"]
        bound = {"dpop_key": SecretStr("k"), "refresh_token": SecretStr("r"), "client_id": client_id}
        authorized = self.password.model_copy(update=bound)
        tokens = at_connecting(bluesky, authorized, Lifetimes(NOW + HOUR), NOW)
        assert tokens.refresh_expires_at == NOW + lifetime_days * DAY
        assert tokens.renew_at is not None
        assert tokens.renew_at < NOW + lifetime_days * DAY / 2
        rules = token_rules_for(bluesky, authorized)
        assert rules is not None
        assert rules.rotates
        assert may_rotate(bluesky)
        # Without a refresh token, the connection ends with its access token.
        ended = at_connecting(
            bluesky, authorized.model_copy(update={"refresh_token": None}), Lifetimes(NOW + HOUR), NOW
        )
        assert (ended.refresh_expires_at, ended.renew_at) == (NOW + HOUR, None)
