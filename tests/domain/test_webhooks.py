"""Requests to endpoints are signed as verifiers expect, and repeated by a schedule."""

import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from domain.webhooks import (
    OFF_AFTER,
    OFF_AFTER_FAILURES,
    OPENS_AFTER,
    SCHEDULE,
    Answer,
    is_secret,
    is_to_disable,
    new_secret,
    next_attempt,
    next_probe,
    sign,
)

NOW = datetime(2026, 11, 26, 10, tzinfo=UTC)
BODY = '{"id":"evt_1","event":"post.published","data":{"text":"Zürich 🌍"}}'.encode()
FAILED = Answer(5, 500, "it answered 500")


def test_a_verifier_of_standard_webhooks_accepts_the_signature() -> None:
    secret = new_secret()
    Webhook(secret).verify(BODY, sign([secret], "evt_1", datetime.now(UTC), BODY))


def test_another_body_time_or_secret_is_refused() -> None:
    secret = new_secret()
    headers = sign([secret], "evt_1", datetime.now(UTC), BODY)
    long_ago = sign([secret], "evt_1", datetime.now(UTC) - timedelta(hours=1), BODY)
    for body, changed in (
        (BODY + b" ", headers),
        (BODY, {**headers, "webhook-id": "evt_2"}),
        (BODY, long_ago),
        (BODY, sign([new_secret()], "evt_1", datetime.now(UTC), BODY)),
    ):
        with pytest.raises(WebhookVerificationError):
            Webhook(secret).verify(body, changed)


def test_while_a_secret_is_replaced_verifiers_of_both_accept() -> None:
    new, old = new_secret(), new_secret()
    headers = sign([new, old], "evt_1", datetime.now(UTC), BODY)
    for secret in (new, old):
        Webhook(secret).verify(BODY, headers)
    assert headers["X-SocialSyncerAPI-Signature"] == hmac.new(old.encode(), BODY, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("text", "accepted"),
    [
        pytest.param(new_secret(), True, id="a new one"),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", True),
        ("whsec_c2hvcnQ=", False),
        ("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", False),
        ("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS!", False),
        ("whsec_" + "A" * 88, False),
        ("whsec_ä", False),
    ],
)
def test_secrets_have_one_form(text: str, accepted: bool) -> None:
    assert is_secret(text) is accepted


def test_an_event_is_sent_again_by_the_schedule() -> None:
    waits = [(next_attempt(attempts, FAILED, NOW) or NOW) - NOW for attempts in range(1, len(SCHEDULE))]
    for wait, planned in zip(waits, SCHEDULE[1:], strict=True):
        assert planned * 0.8 <= wait <= planned * 1.2
    assert timedelta(days=3) <= sum(SCHEDULE, timedelta()) <= timedelta(days=4)
    assert next_attempt(len(SCHEDULE), FAILED, NOW) is None


@pytest.mark.parametrize(
    ("answer", "shortest", "longest"),
    [
        (Answer(1, 429, "x", retry_after=timedelta(hours=2)), timedelta(hours=2), timedelta(hours=2)),
        (Answer(1, 503, "x", retry_after=timedelta(days=9)), timedelta(hours=24), timedelta(hours=24)),
        (Answer(1, 500, "x", retry_after=timedelta(hours=2)), timedelta(seconds=4), timedelta(seconds=6)),
        (Answer(1, 503, "x"), timedelta(seconds=4), timedelta(seconds=6)),
        *((Answer(1, status, "x"), timedelta(seconds=60), timedelta(seconds=60)) for status in (429, 502, 504, None)),
    ],
)
def test_an_endpoint_may_ask_for_time(answer: Answer, shortest: timedelta, longest: timedelta) -> None:
    wait = (next_attempt(1, answer, NOW) or NOW) - NOW
    assert shortest <= wait <= longest


def test_an_endpoint_that_fails_in_a_row_is_probed_ever_more_rarely() -> None:
    assert next_probe(OPENS_AFTER - 1, FAILED, NOW) is None
    waits = [(next_probe(OPENS_AFTER + more, FAILED, NOW) or NOW) - NOW for more in range(8)]
    assert [wait.total_seconds() for wait in waits] == [30, 60, 120, 300, 600, 900, 900, 900]


def test_an_endpoint_is_switched_off_by_time_and_not_by_a_count() -> None:
    assert is_to_disable(OFF_AFTER_FAILURES, NOW - OFF_AFTER, NOW)
    assert not is_to_disable(OFF_AFTER_FAILURES - 1, NOW - OFF_AFTER, NOW)
    assert not is_to_disable(10_000, NOW - OFF_AFTER + timedelta(minutes=1), NOW)
