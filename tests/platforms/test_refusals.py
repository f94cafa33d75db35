"""Responses to the public request: only a refusal that rules out an effect is definite, all others are unconfirmed."""

from typing import Any

import pytest

from platforms.errors import ErrorKind
from tests.platforms.error_shapes import graph_error
from tests.platforms.forms import FIRST, FORMS, TEXT, Form, quick
from tests.platforms.post_steps import lost, ready, refused
from tests.platforms.rig import Connect

__all__ = ["quick"]


def atproto(error: str, message: str = "its own words") -> dict[str, Any]:
    return {"error": error, "message": message}


def tiktok(code: str) -> dict[str, Any]:
    return {"data": {}, "error": {"code": code}}


def telegram(code: int, description: str) -> dict[str, Any]:
    return {"ok": False, "error_code": code, "description": description}


def google(reason: str) -> dict[str, Any]:
    return {"error": {"errors": [{"reason": reason}]}}


X_INTERNAL = {"type": "https://api.x.com/2/problems/internal-error", "title": "Internal Error", "detail": "Sorry."}
X_LOCKED = {"code": 326, "message": "To protect our users from spam, this account is locked."}
X_INVALID = {"type": "https://api.x.com/2/problems/invalid-request", "title": "Invalid Request", "detail": "No."}

ANYWHERE: list[tuple[int, Any]] = [
    (502, "<html>Bad Gateway</html>"),
    *[(status, "<html>No</html>") for status in (301, 400, 401, 403, 404, 422, 429)],
    (307, ""),
    (503, "<html>Unavailable</html>"),
    (500, {}),
    (200, "<html>Hello</html>"),
    (200, {}),
    (200, []),
]
"""Responses that every platform, or a proxy before it, may give to a post that it published."""

UNCONFIRMED: dict[str, list[tuple[int, Any]]] = {
    "bluesky": [(500, atproto("InternalServerError")), (503, {"error": "NotEnoughResources"}), (200, {"cid": "bafy"})],
    "discord": [(200, {"id": 5})],
    "facebook": [(400, graph_error(2)), (500, graph_error(1)), (200, {"success": True})],
    "googlebusiness": [
        (200, {"state": "LIVE"}),
        (
            400,
            {"error": {"code": 400, "message": "No.", "status": "INVALID_ARGUMENT", "name": "accounts/1/localPosts/2"}},
        ),
    ],
    "instagram": [
        *[(400, graph_error(*codes)) for codes in ((-1, 2207001), (2,), (24, 2207008), (24, 2207006), (4, 2207051))],
        *[(500, graph_error(1)), (503, graph_error(190)), (200, {"success": True}), (302, "")],
    ],
    "linkedin": [(201, ""), (409, {"status": 409, "code": "CONFLICT"})],
    "mastodon": [
        *[(500, {"error": "x"}), (503, {"error": "x"}), (422, {"error": "Duplicate record"})],
        (422, {"error": "Validation failed", "id": "1"}),
    ],
    "pinterest": [(201, "<html>"), (400, {"code": 2787, "message": "Something went wrong on our end."})],
    "reddit": [
        (200, {"json": {"errors": [], "data": {}}}),
        (200, {"json": {"errors": [["NO_SELFS", "No.", "sr"]], "things": ["t3_1"]}}),
    ],
    "telegram": [
        (200, {"ok": True}),
        (200, {"ok": True, "result": True}),
        (200, {"ok": True, "result": []}),
        *[
            (200, telegram(*refusal))
            for refusal in ((500, "Internal Server Error"), (403, "Forbidden: bot was kicked"))
        ],
    ],
    "threads": [
        *[(400, graph_error(*codes)) for codes in ((1,), (2,), (100, 2207051))],
        *[(500, graph_error(1)), (503, graph_error(190)), (200, {"success": True}), (302, "")],
    ],
    "tiktok": [
        *[(200, tiktok(code)) for code in ("internal_error", "rate_limit_exceeded")],
        *[(400, tiktok(code)) for code in ("photo_pull_failed", "spam_risk", "publish_cancelled")],
        (400, {"data": {}, "error": {"code": "invalid_params", "publish_id": "p_1"}}),
        (200, tiktok("ok")),
        (500, tiktok("internal_error")),
    ],
    "twitter": [
        (201, "<html>ok</html>"),
        (201, {"data": {}}),
        *[(200, {"errors": [problem]}) for problem in (X_INTERNAL, X_INVALID)],
        *[
            (403, {**X_INVALID, "post": {"id": "1"}}),
            (403, {"title": "Invalid Request"}),
            (403, {**X_LOCKED, "id": "1"}),
        ],
    ],
    "youtube": [(200, {"kind": "youtube#video"})],
}
"""Further responses of each platform that do not rule out that it published the post."""

DEFINITE: list[tuple[str, int, Any, ErrorKind]] = [
    ("bluesky", 429, atproto("RateLimitExceeded"), ErrorKind.RATE_LIMITED),
    ("bluesky", 400, atproto("InvalidRequest"), ErrorKind.REJECTED),
    ("bluesky", 401, atproto("AccountTakedown"), ErrorKind.AUTH),
    ("facebook", 400, graph_error(32), ErrorKind.RATE_LIMITED),
    ("facebook", 400, graph_error(190, 463), ErrorKind.AUTH),
    ("facebook", 400, graph_error(100), ErrorKind.REJECTED),
    ("instagram", 400, graph_error(9007, 2207027), ErrorKind.NOT_READY),
    ("instagram", 400, graph_error(4), ErrorKind.RATE_LIMITED),
    ("instagram", 400, graph_error(9, 2207042), ErrorKind.CAPPED),
    ("instagram", 400, graph_error(25, 2207050), ErrorKind.AUTH),
    ("instagram", 400, graph_error(190, 463), ErrorKind.AUTH),
    ("instagram", 400, graph_error(100), ErrorKind.REJECTED),
    ("mastodon", 422, {"error": "Validation failed: Text character limit of 500 exceeded"}, ErrorKind.REJECTED),
    *[
        ("mastodon", status, {"error": message}, ErrorKind.REJECTED)
        for status, message in (
            (422, "Cannot attach more than 4 files"),
            (400, "Bad Request: status too long, 600 characters provided but limit is 500"),
            (403, "Forbidden: you do not have permission to reply to this status"),
            (422, "The status is over the character limit"),
            (422, "Cannot post an empty status without attachments"),
        )
    ],
    ("mastodon", 422, {"error": "Cannot attach files that have not finished processing."}, ErrorKind.NOT_READY),
    ("mastodon", 429, {"error": "Too many requests"}, ErrorKind.RATE_LIMITED),
    ("mastodon", 401, {"error": "The access token is invalid"}, ErrorKind.AUTH),
    ("mastodon", 403, {"error": "Your login is currently disabled"}, ErrorKind.AUTH),
    ("pinterest", 400, {"code": 1, "message": "Sorry we could not fetch the image."}, ErrorKind.TRANSIENT),
    ("pinterest", 403, {"code": 9, "message": "You've hit a block (Pins)."}, ErrorKind.CAPPED),
    ("threads", 400, graph_error(24, 4279009), ErrorKind.NOT_READY),
    ("threads", 400, graph_error(4), ErrorKind.RATE_LIMITED),
    ("threads", 400, graph_error(100, 4279013), ErrorKind.AUTH),
    ("threads", 400, graph_error(190, 463), ErrorKind.AUTH),
    ("threads", 400, graph_error(100), ErrorKind.REJECTED),
    ("tiktok", 403, tiktok("url_ownership_unverified"), ErrorKind.OPERATOR),
    ("tiktok", 400, tiktok("invalid_param"), ErrorKind.REJECTED),
    ("tiktok", 403, tiktok("spam_risk_too_many_posts"), ErrorKind.CAPPED),
    ("twitter", 403, X_INVALID, ErrorKind.REJECTED),
    *[("twitter", 403, body, ErrorKind.AUTH) for body in (X_LOCKED, {"errors": [X_LOCKED]})],
    ("youtube", 400, google("uploadLimitExceeded"), ErrorKind.CAPPED),
    ("youtube", 403, google("channelSuspended"), ErrorKind.AUTH),
    ("youtube", 400, google("invalidTitle"), ErrorKind.REJECTED),
]
FORM = {form.platform: form for form in reversed(FIRST)} | {
    "facebook": Form("facebook", ("a.jpg",)),
    "tiktok": next(Form("tiktok", ("a.jpg",), form.settings) for form in FIRST if form.platform == "tiktok"),
}
"""The form whose refusal is tested, per platform."""


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("form", FIRST, ids=str)
async def test_a_response_that_rules_nothing_out_is_unconfirmed(connect: Connect, form: Form) -> None:
    rig = await form.open(connect)
    for number, (status, body) in enumerate(ANYWHERE + UNCONFIRMED[form.platform]):
        context = FORM[form.platform].context(rig, f"Number {number}")
        error = await lost(rig, context, "reject", status=status, body=body)
        assert (status, body, error.kind) == (status, body, ErrorKind.UNCONFIRMED)
    assert await rig.posts() == []


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("platform", "status", "body", "kind"), DEFINITE)
async def test_a_refusal_that_rules_out_an_effect_is_definite(
    connect: Connect, platform: str, status: int, body: Any, kind: ErrorKind
) -> None:
    rig = await FORM[platform].open(connect)
    context = FORM[platform].context(rig)
    assert (await lost(rig, context, "reject", status=status, body=body)).kind is kind
    if "session" in context.handles:
        assert kind is not ErrorKind.REJECTED, "the next try must upload again"


ME = {"id": "1"}
PIN = {"items": [{"id": "1", "title": "Landed", "description": TEXT, "link": None}], "bookmark": None}
SENDS_AT_ONCE = {"discord", "googlebusiness", "telegram"}
"""Platforms whose files are part of the public request, or are fetched after it."""
LISTS: dict[str, list[list[Any]]] = {
    "bluesky": [["<html>"], [{}]],
    "discord": [["<html>"], [ME, "<html>"], [ME, {"message": "?"}], [ME, [1]], [ME, [{"content": "Hi"}]]],
    "facebook": [["<html>"], [{"error": "none"}], [{"data": None}]],
    "googlebusiness": [["<html>"], [[]], ["null"]],
    "instagram": [[{"status_code": "PUBLISHED"}, "<html>"]],
    "linkedin": [["<html>"], [{}], [{"elements": None}]],
    "mastodon": [["<html>"], [{"error": "x"}], [["x"]]],
    "pinterest": [["<html>"], [{}], [PIN]],
    "reddit": [["<html>"], [{}], [{"data": {}}]],
    "threads": [[{"status": "PUBLISHED"}, "<html>"]],
    "tiktok": [["<html>"], [{}]],
    "twitter": [["<html>"], [{}], [{"data": {}}], [{"data": [], "errors": []}]],
}
"""Answers with status 200 to the requests of `confirm`, in their order; the last one cannot be read."""
READABLE = [form for form in FIRST if form.confirmed == "by confirm" and form.platform in LISTS]
UPLOADED = {form.platform: form for form in reversed(FORMS) if form.media and form.platform not in SENDS_AT_ONCE}
UPLOADED["pinterest"] = next(form for form in FORMS if form.platform == "pinterest" and form.media == ("a.mp4",))
RENEWED = {("bluesky", "token_expired")}
PASSING = {"token_expired": ErrorKind.AUTH, "rate_limited": ErrorKind.RATE_LIMITED, "drop": ErrorKind.TRANSIENT}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("form", READABLE, ids=str)
async def test_an_unreadable_list_is_no_proof_of_absence(connect: Connect, form: Form) -> None:
    rig = await form.open(connect)
    context = await ready(rig, form.context(rig))
    await rig.platform.publish(rig.connection(), context)
    for answers in LISTS[form.platform]:
        for body in answers:
            await rig.sandbox.fault(form.platform, "reject", "confirm", status=200, body=body)
        error = await refused(rig.platform.confirm(rig.connection(), context))
        assert (answers, error.kind) == (answers, ErrorKind.TRANSIENT)
        await rig.sandbox.control("DELETE", "faults")


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("form", READABLE, ids=str)
@pytest.mark.usefixtures("quick")
async def test_a_failed_confirmation_has_the_kind_of_its_cause(connect: Connect, form: Form, fault: str) -> None:
    rig = await form.open(connect)
    context = await ready(rig, form.context(rig))
    await rig.platform.publish(rig.connection(), context)
    await rig.sandbox.fault(form.platform, fault, "confirm")
    assert (await refused(rig.platform.confirm(rig.connection(), context))).kind is PASSING[fault]


@pytest.mark.parametrize(
    ("form", "fault"),
    [(form, fault) for form in UPLOADED.values() for fault in PASSING if (form.platform, fault) not in RENEWED],
    ids=str,
)
@pytest.mark.usefixtures("quick")
async def test_a_failed_preparation_has_the_kind_of_its_cause(connect: Connect, form: Form, fault: str) -> None:
    rig = await form.open(connect)
    await rig.sandbox.fault(form.platform, fault, "prepare")
    assert (await refused(ready(rig, form.context(rig)))).kind is PASSING[fault]


@pytest.mark.parametrize("form", FIRST, ids=str)
async def test_an_account_is_named_by_its_id_and_its_name(connect: Connect, form: Form) -> None:
    rig = await form.open(connect)
    who = await rig.platform.whoami(rig.connection())
    assert rig.account.user_id in who.user_id
    assert rig.account.username in who.username


@pytest.mark.parametrize("form", [form for form in FIRST if form.account != "page"], ids=str)
async def test_an_answer_without_an_identity_is_asked_again(connect: Connect, form: Form) -> None:
    rig = await form.open(connect)
    await rig.sandbox.fault(form.platform, "reject", "auth", status=200, body="<html>Hello</html>")
    error = await refused(rig.platform.whoami(rig.connection()))
    assert error.kind is ErrorKind.TRANSIENT
