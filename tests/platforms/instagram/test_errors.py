"""The meaning of each error of Instagram."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from platforms.errors import ErrorKind, PlatformError
from platforms.instagram.errors import error_of, is_gone, needs_new, processing_error


def refusal(status: int = 400, *, headers: dict[str, str] | None = None, **error: Any) -> PlatformError:
    body = {"error": {"message": "its own words", "type": "OAuthException", "fbtrace_id": "A6Ltrace", **error}}
    return error_of(httpx.Response(status, json=body, headers=headers))


@pytest.mark.parametrize(
    ("code", "subcode", "kind"),
    [
        (-1, 2207001, ErrorKind.TRANSIENT),
        (-2, 2207003, ErrorKind.TRANSIENT),
        (1, None, ErrorKind.TRANSIENT),
        (2, None, ErrorKind.TRANSIENT),
        (-1, 2207032, ErrorKind.TRANSIENT),
        (-1, 2207053, ErrorKind.TRANSIENT),
        (-2, 2207020, ErrorKind.TRANSIENT),
        (24, 2207008, ErrorKind.TRANSIENT),
        (24, 2207006, ErrorKind.TRANSIENT),
        (9004, 2207052, ErrorKind.TRANSIENT),
        (100, 2207082, ErrorKind.TRANSIENT),
        (9007, 2207027, ErrorKind.NOT_READY),
        (4, None, ErrorKind.RATE_LIMITED),
        (17, None, ErrorKind.RATE_LIMITED),
        (32, None, ErrorKind.RATE_LIMITED),
        (613, None, ErrorKind.RATE_LIMITED),
        (9, 2207042, ErrorKind.CAPPED),
        (9, None, ErrorKind.CAPPED),
        (4, 2207051, ErrorKind.REJECTED),
        (25, 2207050, ErrorKind.AUTH),
        (1, 2207057, ErrorKind.REJECTED),
        (100, 2207023, ErrorKind.REJECTED),
        (100, 2207028, ErrorKind.REJECTED),
        (100, 2207035, ErrorKind.REJECTED),
        (100, 2207036, ErrorKind.REJECTED),
        (100, 2207037, ErrorKind.REJECTED),
        (100, 2207040, ErrorKind.REJECTED),
        (352, 2207026, ErrorKind.REJECTED),
        (36000, 2207004, ErrorKind.REJECTED),
        (36001, 2207005, ErrorKind.REJECTED),
        (36003, 2207009, ErrorKind.REJECTED),
        (36004, 2207010, ErrorKind.REJECTED),
        (100, 2207081, ErrorKind.REJECTED),
        (190, 463, ErrorKind.AUTH),
        (102, None, ErrorKind.AUTH),
        (368, None, ErrorKind.CAPPED),
        (352, 2207085, ErrorKind.REJECTED),
    ],
)
def test_known_codes_have_a_kind_and_a_sentence_of_ours(code: int, subcode: int | None, kind: ErrorKind) -> None:
    error = refusal(code=code, error_subcode=subcode)
    assert error.kind is kind
    assert error.code == (f"{code}/{subcode}" if subcode else str(code))
    assert "its own words" not in error.message
    assert error.message.endswith((".", ")."))
    assert (error.status, error.request_id) == (400, "A6Ltrace")


def test_a_lost_permission_is_reported_by_its_words() -> None:
    said = "(#10) Application does not have permission for this action"
    assert refusal(code=10, message=said).kind is ErrorKind.AUTH
    assert refusal(code=10).kind is ErrorKind.REJECTED


def test_a_spam_block_is_no_throttle_though_it_shares_its_code() -> None:
    assert refusal(code=4, error_subcode=2207051).kind is ErrorKind.REJECTED


def test_a_throttle_stays_one_though_meta_calls_it_transient() -> None:
    assert refusal(code=4, is_transient=True).kind is ErrorKind.RATE_LIMITED


def test_an_unknown_code_follows_what_meta_says_of_it() -> None:
    assert refusal(code=77, is_transient=True).kind is ErrorKind.TRANSIENT
    assert refusal(code=77, is_transient=False).kind is ErrorKind.REJECTED


def test_a_personal_account_must_be_changed() -> None:
    assert refusal(code=100, message="This is not an Instagram business account").kind is ErrorKind.AUTH


def test_codes_of_a_wrong_type_do_not_break_the_map() -> None:
    assert refusal(code="100", error_subcode=[], message=None).kind is ErrorKind.REJECTED


def test_the_wait_is_the_longest_of_instagrams_own_estimates() -> None:
    usage = {
        "17841400000000000": [
            {"type": "instagram", "call_count": 100, "estimated_time_to_regain_access": 7},
            {"type": "instagram", "call_count": 12, "estimated_time_to_regain_access": 0},
        ]
    }
    headers = {"x-business-use-case-usage": json.dumps(usage)}
    assert refusal(code=4, headers=headers).retry_after == timedelta(minutes=7)
    assert refusal(status=429, headers=headers).retry_after == timedelta(minutes=7)
    assert refusal(code=190, headers=headers).retry_after is None


@pytest.mark.parametrize("usage", ["", "{", "[]", "{}", '{"1": [{}]}', '{"1": 5}', '{"1": [{"estimated": 1}]}'])
def test_without_an_estimate_the_wait_is_left_to_the_caller(usage: str) -> None:
    assert refusal(code=17, headers={"x-business-use-case-usage": usage}).retry_after is None


def test_the_daily_cap_waits_for_hours() -> None:
    wait = refusal(code=9, error_subcode=2207042).retry_after
    assert wait is not None
    assert wait >= timedelta(hours=1)


@pytest.mark.parametrize(
    ("status", "kind", "code", "again"),
    [
        ("Error: Media upload has failed with error code 2207026", ErrorKind.REJECTED, "2207026", False),
        ("Error: Media download failed, 2207052", ErrorKind.TRANSIENT, "2207052", True),
        ("Error: 2207085 - The video could not be processed.", ErrorKind.REJECTED, "2207085", False),
        ("Error: something new", ErrorKind.TRANSIENT, "unexplained", True),
        ("", ErrorKind.TRANSIENT, "unexplained", True),
        ("Error: 22070261", ErrorKind.TRANSIENT, "unexplained", True),
    ],
)
def test_a_failed_container_tells_its_subcode(status: str, kind: ErrorKind, code: str, again: bool) -> None:
    error = processing_error(status)
    assert (error.kind, error.code, needs_new(error)) == (kind, code, again)


def test_knows_when_a_container_is_no_longer_there() -> None:
    assert is_gone(refusal(code=100, error_subcode=33))
    assert is_gone(refusal(code=24, error_subcode=2207006))
    assert not is_gone(refusal(code=100))


@pytest.mark.parametrize("code", [80000, 80001, 80002, 80014])
def test_a_limit_of_a_use_case_comes_with_status_400(code: int) -> None:
    assert refusal(code=code).kind is ErrorKind.RATE_LIMITED


def test_an_error_that_meta_says_will_not_pass_is_not_tried_again() -> None:
    assert refusal(code=-1, is_transient=False).kind is ErrorKind.REJECTED
    assert refusal(code=-1).kind is ErrorKind.TRANSIENT
