"""Every error of X is mapped to a kind, a code and a message."""

import time
from datetime import timedelta
from typing import Any

import httpx
import pytest

from platforms.errors import ErrorKind
from platforms.twitter import PLATFORM

PROBLEMS = "https://api.x.com/2/problems/"


def answer(status: int, body: Any = None, *, path: str = "/2/tweets", **headers: str) -> httpx.Response:
    request = httpx.Request("POST", f"https://api.x.com{path}")
    content: dict[str, Any] = {"text": body} if isinstance(body, str) else {"json": body}
    return httpx.Response(status, request=request, headers=headers, **content)


def problem(name: str, detail: str = "Because.", status: int | None = None, **more: Any) -> dict[str, Any]:
    return {"type": PROBLEMS + name, "title": name.title(), "detail": detail, "status": status} | more


@pytest.mark.parametrize(
    ("response", "kind", "code"),
    [
        (answer(400, problem("invalid-request")), ErrorKind.REJECTED, "invalid_request"),
        (answer(403, problem("client-forbidden")), ErrorKind.OPERATOR, "client_forbidden"),
        (answer(403, problem("not-authorized-for-resource")), ErrorKind.REJECTED, "not_authorized_for_resource"),
        (
            answer(403, problem("not-authorized-for-resource", "You lack the scope tweet.write.")),
            ErrorKind.AUTH,
            "not_authorized_for_resource",
        ),
        (
            answer(
                403,
                problem(
                    "not-authorized-for-resource",
                    "You can only reply to or quote posts where you are mentioned or are the author.",
                ),
            ),
            ErrorKind.REJECTED,
            "not_authorized_for_resource",
        ),
        (
            answer(
                403, {"title": "Forbidden", "detail": "This user is not allowed to post a video longer than 2 minutes."}
            ),
            ErrorKind.REJECTED,
            "forbidden",
        ),
        (
            answer(403, {"title": "Forbidden", "detail": "Posts are limited to a maximum of one cashtag."}),
            ErrorKind.REJECTED,
            "forbidden",
        ),
        (answer(403, problem("unsupported-authentication")), ErrorKind.AUTH, "unsupported_authentication"),
        (
            answer(403, {"title": "Unsupported Authentication", "detail": "No."}),
            ErrorKind.AUTH,
            "unsupported_authentication",
        ),
        (answer(403, {"title": "Forbidden", "detail": "Unsupported Authentication."}), ErrorKind.AUTH, "forbidden"),
        (answer(403, problem("user-suspended")), ErrorKind.AUTH, "user_suspended"),
        (answer(403, {"type": "about:blank", "title": "Forbidden", "detail": "No."}), ErrorKind.REJECTED, "forbidden"),
        (
            answer(
                403, {"title": "Forbidden", "detail": "You are not allowed to create a Tweet with duplicate content."}
            ),
            ErrorKind.REJECTED,
            "duplicate_content",
        ),
        (answer(404, problem("resource-not-found")), ErrorKind.REJECTED, "resource_not_found"),
        (answer(401, {"title": "Unauthorized", "detail": "Unauthorized"}), ErrorKind.AUTH, "unauthorized"),
        (answer(401, ""), ErrorKind.AUTH, "http_401"),
        (answer(429, problem("usage-capped")), ErrorKind.OPERATOR, "usage_capped"),
        (answer(403, problem("usage-capped")), ErrorKind.OPERATOR, "usage_capped"),
        (
            answer(
                402,
                {
                    "title": "Payment Required",
                    "detail": "credits depleted",
                    "type": "https://api.x.com/2/problems/credits-depleted",
                },
            ),
            ErrorKind.OPERATOR,
            "credits_depleted",
        ),
        (answer(402, {"title": "CreditsDepleted"}), ErrorKind.OPERATOR, "creditsdepleted"),
        (answer(402, problem("credits", title="CreditsDepleted")), ErrorKind.OPERATOR, "credits"),
        (answer(403, problem("something-new", title="SpendCapReached")), ErrorKind.OPERATOR, "something_new"),
        (answer(402, ""), ErrorKind.OPERATOR, "http_402"),
        (answer(403, {"title": "SpendCapReached"}), ErrorKind.OPERATOR, "spendcapreached"),
        (answer(403, problem("spend-cap-reached")), ErrorKind.OPERATOR, "spend_cap_reached"),
        (answer(403, problem("oauth1-permissions")), ErrorKind.OPERATOR, "oauth1_permissions"),
        (answer(429, {"code": 88, "message": "Rate limit exceeded."}), ErrorKind.RATE_LIMITED, "88"),
        (
            answer(400, {"code": 187, "message": "Status is a duplicate content."}),
            ErrorKind.REJECTED,
            "duplicate_content",
        ),
        (answer(500, problem("internal-error")), ErrorKind.TRANSIENT, "internal_error"),
        (answer(502, "<html>Bad Gateway</html>"), ErrorKind.TRANSIENT, "http_502"),
        (answer(503, [1]), ErrorKind.TRANSIENT, "http_503"),
        (answer(418, {}), ErrorKind.REJECTED, "http_418"),
    ],
)
def test_each_response_has_a_kind_and_a_code(response: httpx.Response, kind: ErrorKind, code: str) -> None:
    error = PLATFORM.error_of(response)
    assert (error.kind, error.code, error.status) == (kind, code, response.status_code)
    assert error.message.endswith((".", "Because.", "No."))


def test_the_precise_complaint_is_reported() -> None:
    body = problem("invalid-request", "One or more parameters.", errors=[{"message": "Your media IDs are invalid."}])
    assert PLATFORM.error_of(answer(400, body)).message == "X refused: Your media IDs are invalid."


def test_the_request_id_is_kept() -> None:
    assert PLATFORM.error_of(answer(400, {}, **{"x-transaction-id": "abc"})).request_id == "abc"


@pytest.mark.parametrize(
    ("reset", "shortest", "longest"),
    [("4102444800", 86_400, 86_400), ("1", 1, 1), ("soon", None, None), ("", None, None)],
)
def test_a_rate_limit_lasts_until_its_reset(reset: str, shortest: float | None, longest: float | None) -> None:
    wait = PLATFORM.error_of(answer(429, problem("rate-limit-exceeded"), **{"x-rate-limit-reset": reset})).retry_after
    if shortest is None or longest is None:
        assert wait is None
    else:
        assert wait is not None
        assert timedelta(seconds=shortest) <= wait <= timedelta(seconds=longest)


@pytest.mark.parametrize("who", ["user", "app"])
def test_a_limit_of_24_hours_is_a_cap_until_its_own_reset(who: str) -> None:
    reset = int(time.time()) + 7200
    headers = {
        "x-rate-limit-reset": "1",
        f"x-{who}-limit-24hour-remaining": "0",
        f"x-{who}-limit-24hour-reset": str(reset),
    }
    error = PLATFORM.error_of(answer(429, problem("rate-limit-exceeded"), **headers))
    assert error.kind is ErrorKind.CAPPED
    assert error.retry_after is not None
    assert timedelta(seconds=7100) < error.retry_after <= timedelta(seconds=7200)
    headers[f"x-{who}-limit-24hour-remaining"] = "3"
    error = PLATFORM.error_of(answer(429, problem("rate-limit-exceeded"), **headers))
    assert (error.kind, error.retry_after) == (ErrorKind.RATE_LIMITED, timedelta(seconds=1))
