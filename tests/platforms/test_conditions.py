"""Refusals before a post is public, and who can do something about each: its author, the account's owner, the operator.

Responses to the public request itself are in test_refusals.py.
"""

from dataclasses import dataclass, field
from typing import Any

import pytest

from platforms.errors import ErrorKind
from tests.platforms.drafts import REQUIRED
from tests.platforms.error_shapes import graph_error
from tests.platforms.forms import quick
from tests.platforms.post_steps import publish, refused
from tests.platforms.rig import Connect

__all__ = ["quick"]


@dataclass(frozen=True)
class Case:
    """A post that a platform refuses, because of conditions or with a response to requests of one operation."""

    platform: str
    kind: ErrorKind
    code: str | None = None
    words: str = ""
    names: tuple[str, ...] = ()
    settings: dict[str, Any] = field(default_factory=dict)
    conditions: tuple[str, ...] = ()
    response: tuple[str, int, Any] | None = None

    def __str__(self) -> str:
        return "-".join([self.platform, *self.conditions, *self.settings, self.code or self.kind.name])


def tiktok(code: str) -> tuple[str, int, Any]:
    return "prepare", 200, {"data": {}, "error": {"code": code, "message": "its own words", "log_id": "L1"}}


REJECTED, AUTH, OPERATOR, CAPPED = ErrorKind.REJECTED, ErrorKind.AUTH, ErrorKind.OPERATOR, ErrorKind.CAPPED
IMAGE, VIDEO = ("a.jpg",), ("a.mp4",)
A_REPLY, A_QUOTE = {"replyToId": "17841400000000001"}, {"quotePostId": "18000000000000001"}
NOT_A_PAGE = graph_error(100, None, "(#100) Tried accessing nonexisting field (category) on node type (User)")
ENDED = {"accessJwt": "a", "refreshJwt": "b", "did": "did:plc:x", "active": False, "status": "deactivated"}
NO_CHANNEL = {"kind": "youtube#channelListResponse", "pageInfo": {"totalResults": 0}}

CASES = [
    Case("bluesky", REJECTED, None, "profile", VIDEO, {}, ("video_profile_not_found",)),
    Case("bluesky", REJECTED, None, "wrong audience", VIDEO, {}, ("video_bad_audience",)),
    Case("bluesky", REJECTED, None, "email", VIDEO, {}, ("video_unconfirmed_email",)),
    Case("bluesky", REJECTED, "unconfirmed_email", "confirmed email", VIDEO, {},
         ("video_limits_unknown", "video_unconfirmed_email")),
    Case("bluesky", CAPPED, None, "one day", VIDEO, {}, ("video_day_used_up",)),
    Case("bluesky", AUTH, "not_active", "deactivated", response=("auth", 200, ENDED)),
    Case("discord", AUTH, "50013", conditions=("no_rights",)),
    Case("discord", REJECTED, "50013", settings={"tts": True}, conditions=("no_rights",)),
    Case("discord", REJECTED, "10003", settings={"channelId": "12"}),
    Case("googlebusiness", OPERATOR, "SERVICE_DISABLED", "My Business API", conditions=("app_refused",)),
    Case("googlebusiness", OPERATOR, "RATE_LIMIT_EXCEEDED", "not approved", conditions=("not_approved",)),
    Case("googlebusiness", REJECTED, "operation_unsupported_under_account_condition",
         conditions=("account_restricted",)),
    Case("instagram", OPERATOR, None, "", IMAGE, {}, ("app_refused",)),
    Case("instagram", REJECTED, "2207085", "", VIDEO, {}, ("videos_unprocessable",)),
    Case("instagram", REJECTED, "2207085", "", VIDEO, {}, ("videos_unprocessable", "state_unnamed")),
    Case("linkedin", CAPPED, None, "Verify", conditions=("unverified_member",)),
    Case("pinterest", REJECTED, None, "board", IMAGE, {"boardId": "0"}),
    Case("pinterest", REJECTED, "29", "boardId", IMAGE, {}, ("board_forbidden",)),
    Case("pinterest", OPERATOR, "29", "standard access", IMAGE, {}, ("app_refused",)),
    Case("threads", REJECTED, "10/4279067", "replyToId", (), A_REPLY, ("own_posts_only",)),
    Case("threads", REJECTED, None, "does not have the post that replyToId names", (), A_REPLY),
    Case("threads", REJECTED, "-1/4279047", "", (), {"linkAttachment": "https://example.com/r"}, ("links_refused",)),
    Case("threads", REJECTED, None, "quotePostId", (), A_QUOTE, response=("prepare", 400, graph_error(24, 4279009))),
    Case("threads", REJECTED, "10/4279067", "", (), A_QUOTE, response=("prepare", 400, graph_error(10, 4279067))),
    Case("threads", OPERATOR, "10/4279067", response=("prepare", 400, graph_error(10, 4279067))),
    Case("tiktok", OPERATOR, None, "", IMAGE, {}, ("app_refused",)),
    Case("tiktok", OPERATOR, None, "", IMAGE, {}, ("unverified_addresses",)),
    Case("tiktok", CAPPED, "spam_risk_too_many_posts", "", IMAGE, response=tiktok("spam_risk_too_many_posts")),
    Case("tiktok", CAPPED, "reached_active_user_cap", "", IMAGE, response=tiktok("reached_active_user_cap")),
    Case("tiktok", AUTH, None, "", IMAGE, response=tiktok("spam_risk_user_banned_from_posting")),
    Case("tiktok", ErrorKind.TRANSIENT, "internal_error", "", IMAGE, response=tiktok("internal_error")),
    Case("tiktok", REJECTED, "something_new", "", IMAGE, response=tiktok("something_new")),
    Case("tiktok", REJECTED, "privacy_level_option_mismatch", "PUBLIC_TO_EVERYONE", VIDEO,
         {"privacyLevel": "FOLLOWER_OF_CREATOR"}),
    Case("twitter", REJECTED, None, "longer than 2 minutes", VIDEO, {}, ("short_videos",)),
]  # fmt: skip


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("case", CASES, ids=str)
async def test_each_condition_is_refused_with_its_kind_and_words(connect: Connect, case: Case) -> None:
    rig = await connect(case.platform)
    for condition in case.conditions:
        await rig.sandbox.switch_on(case.platform, condition, rig.account.account_id)
    if case.response:
        operation, status, body = case.response
        await rig.sandbox.fault(case.platform, "reject", operation, status=status, body=body)
    media = [rig.sandbox.media(name) for name in case.names]
    context = rig.context("Hi", media, settings={**REQUIRED.get(case.platform, {}), **case.settings})
    error = await refused(publish(rig, context))
    assert (error.kind, error.code) == (case.kind, case.code or error.code)
    assert case.words in error.message
    assert await rig.posts() == []


@pytest.mark.parametrize(
    ("platform", "body", "words"), [("facebook", NOT_A_PAGE, "Pages only"), ("youtube", NO_CHANNEL, "")]
)
async def test_an_account_that_cannot_publish_is_not_connected(
    connect: Connect, platform: str, body: Any, words: str
) -> None:
    rig = await connect(platform)
    status = 400 if "error" in body else 200
    await rig.sandbox.fault(platform, "reject", "auth", status=status, body=body)
    error = await refused(rig.platform.whoami(rig.connection()))
    assert error.kind is AUTH
    assert words in error.message
