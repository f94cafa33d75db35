"""What each refusal of Instagram means."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from platforms.errors import LONGEST_TEXT, Kind, PlatformError
from platforms.instagram.errors import error_of, is_gone, needs_new, processing_error


def refusal(status: int = 400, *, headers: dict[str, str] | None = None, **error: Any) -> PlatformError:
    body = {"error": {"message": "its own words", "type": "OAuthException", "fbtrace_id": "A6Ltrace", **error}}
    return error_of(httpx.Response(status, json=body, headers=headers))


@pytest.mark.parametrize(
    ("code", "subcode", "kind"),
    [
        (-1, 2207001, Kind.TRANSIENT),
        (-2, 2207003, Kind.TRANSIENT),
        (1, None, Kind.TRANSIENT),
        (2, None, Kind.TRANSIENT),
        (-1, 2207032, Kind.TRANSIENT),
        (-1, 2207053, Kind.TRANSIENT),
        (-2, 2207020, Kind.TRANSIENT),
        (24, 2207008, Kind.TRANSIENT),
        (24, 2207006, Kind.TRANSIENT),
        (9004, 2207052, Kind.TRANSIENT),
        (100, 2207082, Kind.TRANSIENT),
        (9007, 2207027, Kind.NOT_READY),
        (4, None, Kind.RATE_LIMITED),
        (17, None, Kind.RATE_LIMITED),
        (32, None, Kind.RATE_LIMITED),
        (613, None, Kind.RATE_LIMITED),
        (9, 2207042, Kind.CAPPED),
        (9, None, Kind.CAPPED),
        (4, 2207051, Kind.REJECTED),
        (25, 2207050, Kind.AUTH),
        (1, 2207057, Kind.REJECTED),
        (100, 2207023, Kind.REJECTED),
        (100, 2207028, Kind.REJECTED),
        (100, 2207035, Kind.REJECTED),
        (100, 2207036, Kind.REJECTED),
        (100, 2207037, Kind.REJECTED),
        (100, 2207040, Kind.REJECTED),
        (352, 2207026, Kind.REJECTED),
        (36000, 2207004, Kind.REJECTED),
        (36001, 2207005, Kind.REJECTED),
        (36003, 2207009, Kind.REJECTED),
        (36004, 2207010, Kind.REJECTED),
        (100, 2207081, Kind.REJECTED),
        (190, 463, Kind.AUTH),
        (102, None, Kind.AUTH),
        (368, None, Kind.CAPPED),
        (352, 2207085, Kind.REJECTED),
    ],
)
def test_known_codes_have_a_kind_and_a_sentence_of_ours(code: int, subcode: int | None, kind: Kind) -> None:
    error = refusal(code=code, error_subcode=subcode)
    assert error.kind is kind
    assert error.code == (f"{code}/{subcode}" if subcode else str(code))
    assert "its own words" not in error.message
    assert error.message.endswith((".", ")."))
    assert (error.status, error.request_id) == (400, "A6Ltrace")


def test_a_lost_permission_is_told_by_its_words() -> None:
    said = "(#10) Application does not have permission for this action"
    assert refusal(code=10, message=said).kind is Kind.AUTH
    assert refusal(code=10).kind is Kind.REJECTED


def test_a_spam_block_is_no_throttle_though_it_shares_its_code() -> None:
    assert refusal(code=4, error_subcode=2207051).kind is Kind.REJECTED


def test_a_throttle_stays_one_though_meta_calls_it_transient() -> None:
    assert refusal(code=4, is_transient=True).kind is Kind.RATE_LIMITED


def test_an_unknown_code_follows_what_meta_says_of_it() -> None:
    assert refusal(code=77, is_transient=True).kind is Kind.TRANSIENT
    assert refusal(code=77, is_transient=False).kind is Kind.REJECTED


def test_an_unknown_refusal_is_told_in_instagrams_own_words_cut_to_a_sane_length() -> None:
    error = refusal(code=100, error_user_msg="param collaborators is not allowed " * 100)
    assert error.kind is Kind.REJECTED
    assert error.message.startswith("Instagram refused: param collaborators is not allowed")
    assert len(error.message) == LONGEST_TEXT


def test_a_personal_account_must_be_changed() -> None:
    assert refusal(code=100, message="This is not an Instagram business account").kind is Kind.AUTH


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, Kind.AUTH),
        (403, Kind.REJECTED),
        (404, Kind.REJECTED),
        (408, Kind.TRANSIENT),
        (429, Kind.RATE_LIMITED),
        (500, Kind.TRANSIENT),
        (502, Kind.TRANSIENT),
    ],
)
@pytest.mark.parametrize("body", ["<html><h1>Bad Gateway</h1></html>", "", "[]", '{"error": "x"}', '{"error": null}'])
def test_answers_that_are_not_graph_errors_are_judged_by_status(status: int, kind: Kind, body: str) -> None:
    error = error_of(httpx.Response(status, text=body))
    assert (error.kind, error.code) == (kind, f"http_{status}")
    assert "<" not in error.message


def test_codes_of_a_wrong_type_do_not_break_the_map() -> None:
    assert refusal(code="100", error_subcode=[], message=None).kind is Kind.REJECTED


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
        ("Error: Media upload has failed with error code 2207026", Kind.REJECTED, "2207026", False),
        ("Error: Media download failed, 2207052", Kind.TRANSIENT, "2207052", True),
        ("Error: 2207085 - The video could not be processed.", Kind.REJECTED, "2207085", False),
        ("Error: something new", Kind.TRANSIENT, "unexplained", True),
        ("", Kind.TRANSIENT, "unexplained", True),
        ("Error: 22070261", Kind.TRANSIENT, "unexplained", True),
    ],
)
def test_a_failed_container_tells_its_subcode(status: str, kind: Kind, code: str, again: bool) -> None:
    error = processing_error(status)
    assert (error.kind, error.code, needs_new(error)) == (kind, code, again)


def test_knows_when_a_container_is_no_longer_there() -> None:
    assert is_gone(refusal(code=100, error_subcode=33))
    assert is_gone(refusal(code=24, error_subcode=2207006))
    assert not is_gone(refusal(code=100))


@pytest.mark.parametrize("code", [80000, 80001, 80002, 80014])
def test_a_limit_of_a_use_case_comes_with_status_400(code: int) -> None:
    assert refusal(code=code).kind is Kind.RATE_LIMITED


def test_an_error_that_meta_says_will_not_pass_is_not_tried_again() -> None:
    assert refusal(code=-1, is_transient=False).kind is Kind.REJECTED
    assert refusal(code=-1).kind is Kind.TRANSIENT
