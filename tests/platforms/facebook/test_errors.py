"""The meaning of each error of Facebook."""

import json
from datetime import timedelta
from typing import Any

import httpx
import pytest

from platforms.errors import DUPLICATE, ErrorKind, PlatformError
from platforms.facebook.errors import SLOW_DOWN, error_of, is_gone


def refusal(status: int = 400, *, headers: dict[str, str] | None = None, **error: Any) -> PlatformError:
    body = {"error": {"message": "its own words", "type": "OAuthException", "fbtrace_id": "A6Ltrace", **error}}
    return error_of(httpx.Response(status, json=body, headers=headers))


@pytest.mark.parametrize(
    ("kind", "codes"),
    [
        (ErrorKind.TRANSIENT, [1, 2, (100, 1363047), (100, 1609010), (6000, 1363019), (6001, 1363033), (2, 1363030)]),
        (ErrorKind.RATE_LIMITED, [4, 17, 32, 341, 613, 80001]),
        (ErrorKind.CAPPED, [368, 1390008, (4, 1390008)]),
        (ErrorKind.AUTH, [102, 104, 190, (190, 458), (190, 467), (200, 1404078), (100, 4854002)]),
        (ErrorKind.AUTH, [(100, 1404112), (100, 1404006)]),
        (
            ErrorKind.REJECTED,
            [100, (100, 1609005), (100, 1609008), (100, 2061006), (324, 2069019), 389, 382, 6000, 6001],
        ),
        (
            ErrorKind.REJECTED,
            [(100, 1366046), (100, 1349125), (100, 1346003), (100, 1404102), 506, (100, 1366051), 300],
        ),
        (ErrorKind.REJECTED, [(100, 1363040), (100, 1363127), (100, 1363128), (100, 1363129)]),
    ],
)
def test_each_code_and_subcode_has_a_kind(kind: ErrorKind, codes: list[int | tuple[int, int]]) -> None:
    for given in codes:
        code, subcode = given if isinstance(given, tuple) else (given, None)
        error = refusal(code=code, error_subcode=subcode)
        assert (given, error.kind) == (given, kind)
        assert error.request_id == "A6Ltrace"
        assert error.message.endswith(".") or error.message == "Facebook refused: its own words"


@pytest.mark.parametrize(
    ("code", "said", "kind"),
    [
        (10, "(#10) Application does not have permission for this action", ErrorKind.AUTH),
        (200, "(#200) The user hasn't authorized the application to perform this action", ErrorKind.AUTH),
        (200, "(#200) Requires pages_manage_posts permission", ErrorKind.AUTH),
        (283, "(#283) Requires pages_read_user_content permission to manage the object", ErrorKind.AUTH),
        (100, "(#100) No permission to publish the video", ErrorKind.REJECTED),
        (200, "(#200) This post cannot be shared", ErrorKind.REJECTED),
        (3, "(#3) Application does not have the capability to make this API call.", ErrorKind.OPERATOR),
        (10, "(#10) To use this endpoint, your use must be reviewed and approved by Facebook.", ErrorKind.OPERATOR),
        (200, "API access blocked.", ErrorKind.OPERATOR),
        (100, "API calls from the server require an appsecret_proof argument", ErrorKind.OPERATOR),
        (100, "Invalid appsecret_proof provided in the API argument", ErrorKind.OPERATOR),
        (368, "The action attempted has been deemed abusive or is otherwise disallowed", ErrorKind.CAPPED),
    ],
)
def test_words_tell_whether_the_account_the_app_or_one_post_is_refused(code: int, said: str, kind: ErrorKind) -> None:
    error = refusal(code=code, message=said)
    assert (error.kind, error.code) == (kind, "app_secret" if "appsecret_proof" in said else str(code))
    translated = refusal(code=code, message=said, error_user_msg="Das geht gerade nicht.")
    assert translated.kind is kind, "what is said for people may be in any language"
    assert kind is not ErrorKind.CAPPED or error.retry_after == timedelta(hours=6)


@pytest.mark.parametrize(("code", "subcode"), [(506, None), (100, 1366051)])
def test_duplicates_are_named(code: int, subcode: int | None) -> None:
    assert refusal(code=code, error_subcode=subcode).code == DUPLICATE


def test_an_unknown_code_follows_what_facebook_says_of_it() -> None:
    assert refusal(code=9999, error_user_msg="Do this.").message == "Facebook refused: Do this."
    assert refusal(code=9999, is_transient=True).kind is ErrorKind.TRANSIENT


def test_waits_as_long_as_facebook_asks() -> None:
    usage = {"1755": [{"estimated_time_to_regain_access": 3}, {"estimated_time_to_regain_access": 19}]}
    headers = {"x-business-use-case-usage": json.dumps(usage)}
    assert refusal(code=32, headers=headers).retry_after == timedelta(minutes=19)
    assert refusal(code=190, headers=headers).retry_after is None
    assert refusal(code=32).retry_after is None
    assert refusal(code=1390008).retry_after == SLOW_DOWN


@pytest.mark.parametrize("usage", ["", "{", "[]", '{"1": [{}]}', '{"1": 5}'])
def test_without_an_estimate_the_wait_is_left_to_the_caller(usage: str) -> None:
    assert refusal(code=17, headers={"x-business-use-case-usage": usage}).retry_after is None


def test_knows_when_an_id_is_no_longer_there() -> None:
    assert is_gone(refusal(code=100, error_subcode=33))
    assert not is_gone(refusal(code=100))
