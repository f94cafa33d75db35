"""Platforms that publish and then answer wrongly: no post is public twice, or failed while it is public."""

import asyncio
import contextlib
import itertools
import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.errors import Conflict
from domain.post import PostStatus, TargetStatus
from platforms.facebook import videos
from platforms.registry import platforms
from sandbox.server import load_fakes
from sandbox.world import World
from store.models import Account, Post, Target
from tests.platforms.forms import FIRST, FORMS, Form, quick
from tests.stack import Stack

__all__ = ["quick"]

PUBLIC = "https://example.com/"


@dataclass(frozen=True)
class Answer:
    """An answer to the public request, which the platform has carried out."""

    name: str
    status: int | None = None
    body: Any = None
    beside: bool = False


GATEWAYS = [
    Answer("page-403", 403, "<html><h1>403 Forbidden</h1></html>"),
    Answer("page-404", 404, "<html>Not Found</html>"),
    Answer("page-429", 429, "<html>Too many requests</html>"),
    Answer("page-502", 502, "<html>Bad Gateway</html>"),
    Answer("empty-400", 400, ""),
    Answer("half-200", 200, '{"id": "12'),
    Answer("redirect", 302, ""),
    Answer("json-of-another", 400, {"fault": {"faultstring": "Policy failed", "detail": {"errorcode": "policies"}}}),
]
SUCCESSES = [Answer(f"success-{status}", status) for status in (400, 401, 403, 404, 409, 422, 429, 500)]
ANYWHERE = [*GATEWAYS, *SUCCESSES]

GRAPH = {"message": "No.", "type": "OAuthException", "code": 99999, "fbtrace_id": "A"}
OWN: dict[str, list[Answer]] = {
    "bluesky": [Answer("unknown", 400, {"error": "NeverHeardOf", "message": "No."})],
    "discord": [Answer("unknown", 400, {"message": "No.", "code": 999999})],
    "facebook": [Answer("unknown", 400, {"error": GRAPH}), Answer("beside", 400, {"error": GRAPH}, beside=True)],
    "googlebusiness": [Answer("unknown", 400, {"error": {"code": 400, "message": "No.", "status": "NEVER_HEARD_OF"}})],
    "instagram": [Answer("unknown", 400, {"error": GRAPH}), Answer("beside", 400, {"error": GRAPH}, beside=True)],
    "linkedin": [Answer("unknown", 400, {"status": 400, "code": "NEVER_HEARD_OF", "message": "No."})],
    "mastodon": [
        Answer("duplicate", 422, {"error": "Duplicate record"}),
        Answer("unknown", 422, {"error": "No."}),
        Answer("beside", 200, {"error": "Validation failed"}, beside=True),
    ],
    "pinterest": [Answer("unknown", 400, {"code": 999999, "message": "No."})],
    "reddit": [
        Answer("unknown", 200, {"json": {"errors": [["NEVER_HEARD_OF", "No.", "sr"]]}}),
        Answer(
            "beside", 200, {"json": {"ratelimit": 706.76, "errors": [["RATELIMIT", "No.", "ratelimit"]]}}, beside=True
        ),
    ],
    "telegram": [
        Answer("unknown", 400, {"ok": False, "error_code": 400, "description": "Bad Request: NEVER_HEARD_OF"})
    ],
    "threads": [
        *[Answer(f"app-{status}", status, {"error": {**GRAPH, "code": 10}}) for status in (400, 500)],
        Answer("unknown", 400, {"error": GRAPH}),
    ],
    "tiktok": [Answer("unknown", 400, {"data": {}, "error": {"code": "never_heard_of", "message": "", "log_id": "1"}})],
    "twitter": [
        Answer("unknown", 400, {"title": "No", "detail": "No.", "type": "https://api.x.com/2/problems/never-heard-of"}),
        Answer("error-200", 200, {"errors": [{"title": "No", "detail": "No.", "type": "about:blank"}]}),
        Answer("beside", 200, {"errors": [{"title": "No", "detail": "No.", "type": "about:blank"}]}, beside=True),
    ],
    "youtube": [Answer("unknown", 400, {"error": {"code": 400, "errors": [{"reason": "neverHeardOf"}]}})],
}
"""Answers in a platform's own form whose code no documentation names, and answers with the post beside an error."""
CASES = [(form, answer) for form in FIRST for answer in [*ANYWHERE, *OWN.get(form.platform, [])]]
RETRIES = 2
FAR_OFF = timedelta(seconds=5)
_numbers = itertools.count(1)


@pytest.mark.parametrize("platform", platforms())
def test_every_platform_has_wrong_answers_of_its_own(platform: str) -> None:
    assert platform in OWN, f"{platform} is missing in OWN of tests/workflows/test_wrong_answers.py"


async def connect(stack: Stack, form: Form) -> Account:
    account = await stack.connect(form.platform, webhook=form.account == "webhook")
    if form.account == "page":
        return await stack.connect(form.platform, organizationUrn=f"urn:li:organization:{account.user_id}")
    return account


async def public_texts(stack: Stack, account: Account) -> int:
    posts = await stack.control("GET", f"posts?platform={account.platform}&accountId={account.id}")
    return len(posts["posts"])


async def answered_by(stack: Stack, form: Form, answer: Answer) -> Account:
    """Connect an account whose every public request is carried out, and answered by this answer."""
    account = await connect(stack, form)
    fault = {"accountId": account.id, "times": 50, "status": answer.status, "body": answer.body}
    await stack.fault(form.platform, "accept_then_answer", "publish", **fault, beside=answer.beside)
    return account


async def publish(stack: Stack, form: Form, answer: Answer) -> tuple[int, Post]:
    """Publish a post that gets this answer, retry it by hand, and return how often it is public."""
    account = await answered_by(stack, form, answer)
    post = await start(stack, form, account)
    for _ in range(RETRIES):
        if (await settled(stack, post)).status == PostStatus.PUBLISHED:
            break
        with contextlib.suppress(Conflict):
            await stack.retry(post)
    return await public_texts(stack, account), await settled(stack, post)


async def start(stack: Stack, form: Form, account: Account, **more: Any) -> Post:
    media = [f"{PUBLIC}{name}" for name in form.media]
    text = f"wrong answer {next(_numbers)}" if form.text else ""
    post = await stack.save(text, [account], media=media, settings=dict(form.settings) | more)
    await stack.start(post)
    return post


async def settled(stack: Stack, post: Post) -> Post:
    """Return the post once it waits for no step, or for one that is far off; a held one waits for its account.

    One that is looked for without success for ten seconds is returned as it is.
    """
    # On a busy machine a post takes long, and one that has not settled says nothing about the answers.
    given_up = datetime.now(UTC) + timedelta(seconds=10)
    async with asyncio.timeout(60):
        while True:
            row = await stack.read(post.id)
            target = row.targets[0]
            is_far_off = target.next_attempt_at and target.next_attempt_at > datetime.now(UTC) + FAR_OFF
            is_looked_for = target.status == TargetStatus.UNCONFIRMED and datetime.now(UTC) > given_up
            if is_far_off or is_looked_for or target.status == TargetStatus.HELD:
                return row
            if row.status not in {PostStatus.SCHEDULED, PostStatus.PUBLISHING}:
                return row
            await asyncio.sleep(0.1)


@pytest.mark.usefixtures("quick_confirms", "quick")
@pytest.mark.parametrize("form", FIRST, ids=str)
@pytest.mark.thorough
@pytest.mark.timeout(240)
async def test_no_wrong_answer_makes_one_post_many(stack: Stack, form: Form) -> None:
    answers = [answer for its_form, answer in CASES if its_form is form]
    results = await asyncio.gather(*(publish(stack, form, answer) for answer in answers))
    shown = {
        answer.name: (times, post.targets[0].status, post.targets[0].error_code)
        for answer, (times, post) in zip(answers, results, strict=True)
    }
    assert {name: row for name, row in shown.items() if row[0] != 1} == {}
    # A refusal in the platform's own words stays one if the platform cannot be read.
    believed = {"unknown"} if form.confirmed != "by confirm" else set[str]()
    assert {name for name, row in shown.items() if row[1] == TargetStatus.FAILED} <= believed


@pytest.mark.usefixtures("quick_confirms", "quick")
async def test_text_that_linkedin_refused_in_unknown_words_is_found_by_its_repeat(stack: Stack) -> None:
    account, (unknown,) = await stack.connect("linkedin"), OWN["linkedin"]
    fault = {"accountId": account.id, "status": unknown.status, "body": unknown.body}
    await stack.fault("linkedin", "accept_then_answer", "publish", **fault)
    post = await settled(stack, await start(stack, Form("linkedin"), account))
    assert (await public_texts(stack, account), post.status) == (1, PostStatus.PUBLISHED)


async def saved_records(stack: Stack, post: Post) -> dict[str, Any]:
    records: dict[str, Any] = (await stack.read(post.id)).targets[0].handles.get("records", {})
    return records


@pytest.mark.usefixtures("quick_confirms", "quick")
async def test_thread_after_a_post_that_a_retry_finds_is_published_once(stack: Stack) -> None:
    account = await stack.connect("bluesky")
    for status, error in ((400, "InvalidRequest"), (429, "RateLimitExceeded")):
        fault = {"accountId": account.id, "status": status, "body": {"error": error}}
        await stack.fault("bluesky", "accept_then_answer", "publish", **fault)
    form = Form("bluesky", settings={"threadItems": [{"content": "and more"}]})
    post = await settled(stack, await start(stack, form, account))
    assert post.targets[0].status == TargetStatus.FAILED
    await stack.retry(post)
    async with asyncio.timeout(30):
        while "uri" not in (await saved_records(stack, post)).get("0", {}):  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.1)
    assert await public_texts(stack, account) == 2


@pytest.mark.usefixtures("quick_confirms", "quick", "no_read_lag")
@pytest.mark.parametrize("body", [{"message": "Too Many Requests"}, {"message": "Unauthorized"}, "<html>No</html>"])
async def test_a_gateways_page_never_makes_a_webhook_publish_again(stack: Stack, body: Any) -> None:
    form = next(form for form in FIRST if str(form) == "discord-webhook")
    account = await connect(stack, form)
    status = 401 if "Unauthorized" in str(body) else 429
    lie = {"accountId": account.id, "status": status, "body": body, "times": 3}
    await stack.fault("discord", "accept_then_answer", "publish", **lie)
    post = await settled(stack, await start(stack, form, account))
    assert (await public_texts(stack, account), post.targets[0].status) == (1, TargetStatus.UNCONFIRMED)
    assert not post.targets[0].confirming


@pytest.mark.usefixtures("no_read_lag")
@pytest.mark.parametrize("status", [304, 400, 405, 421])
async def test_a_gateways_page_before_publishing_only_delays_a_post(stack: Stack, status: int) -> None:
    account = await stack.connect("instagram")
    page = {"accountId": account.id, "status": status, "body": f"<html>{status}</html>"}
    await stack.fault("instagram", "reject", "prepare", **page)
    post = await stack.publish(f"behind a gateway, {status}", [account], media=[f"{PUBLIC}a.jpg"])
    assert (await public_texts(stack, account), post.status) == (1, PostStatus.PUBLISHED)


UNREADABLE = [form for form in FORMS if form.platform in {"discord", "telegram"}]
KNOWN = {
    "discord": {"message": "Cannot send messages in a non-text channel", "code": 50008},
    "telegram": {"ok": False, "error_code": 400, "description": "Bad Request: message thread not found"},
}
"""Refusals that the platforms name in their own codes and words."""


@pytest.mark.usefixtures("quick_confirms", "quick")
@pytest.mark.parametrize("form", UNREADABLE, ids=str)
async def test_a_message_is_sent_again_after_a_known_refusal_and_never_after_a_lost_answer(
    stack: Stack, form: Form
) -> None:
    account = await connect(stack, form)
    refusal = {"accountId": account.id, "status": 400, "body": KNOWN[form.platform]}
    await stack.fault(form.platform, "reject", "publish", **refusal)
    refused = await settled(stack, await start(stack, form, account))
    assert (refused.targets[0].status, await public_texts(stack, account)) == (TargetStatus.FAILED, 0)
    await stack.retry(refused)
    assert (await settled(stack, refused)).status == PostStatus.PUBLISHED
    assert await public_texts(stack, account) == 1
    if form.confirmed == "by confirm":
        return
    await stack.fault(form.platform, "accept_then_drop", "publish", accountId=account.id)
    lost = await settled(stack, await start(stack, form, account))
    for _ in range(RETRIES):
        with contextlib.suppress(Conflict):
            await stack.retry(lost)
        lost = await settled(stack, lost)
    assert (lost.targets[0].status, lost.targets[0].confirming) == (TargetStatus.UNCONFIRMED, False)
    assert await public_texts(stack, account) == 2


@pytest.mark.usefixtures("no_read_lag")
async def test_a_platform_that_lets_nothing_be_read_is_sent_what_it_surely_refused(stack: Stack) -> None:
    account = await stack.connect("twitter")
    await stack.fault("twitter", "rate_limited", "publish", seconds=1, accountId=account.id)
    kind = "https://api.x.com/2/problems/not-authorized-for-resource"
    body = {"type": kind, "title": "Not Authorized", "detail": "This app may not read posts.", "status": 403}
    await stack.fault("twitter", "reject", "confirm", status=403, body=body, times=9, accountId=account.id)
    post = await stack.publish("may be written and not read", [account])
    assert (post.status, await public_texts(stack, account)) == (PostStatus.PUBLISHED, 1)


async def test_a_retry_confirms_with_the_handles_of_the_send_before(stack: Stack) -> None:
    account = await stack.connect("instagram")
    refusal = {"error": {**GRAPH, "code": 100, "message": "Invalid parameter"}}
    fault = {"accountId": account.id, "status": 400, "body": refusal}
    await stack.fault("instagram", "accept_then_answer", "publish", **fault)
    await stack.fault("instagram", "reject", "confirm", accountId=account.id, status=400, body=refusal, times=2)
    post = await stack.publish("public, and refused", [account], media=["https://example.com/a.jpg"])
    for _ in range(RETRIES):
        if post.status != PostStatus.PUBLISHED:
            with contextlib.suppress(Conflict):
                await stack.retry(post)
            post = await stack.settled(post.id, timeout=60)
    assert (post.status, await public_texts(stack, account)) == (PostStatus.PUBLISHED, 1)


REEL = Form("facebook", ("a.mp4",), {"contentType": "reel"})
THREAD = Form("threads")
RECORDED = [
    (Form("reddit", settings={"subreddit": "test", "title": "Recorded"}), OWN["reddit"][-1]),
    *[
        (REEL, Answer(f"code-{code}", 400, {"error": {**GRAPH, "code": code, **more}}))
        for code, more in (
            (100, {"error_subcode": 999999}),
            (6000, {}),
            (100, {}),
            (1, {}),
        )
    ],
]
"""Answers that platforms have given to posts which they had published."""


@pytest.mark.usefixtures("quick_confirms", "quick")
@pytest.mark.parametrize(("form", "answer"), RECORDED, ids=lambda value: getattr(value, "name", str(value)))
async def test_recorded_answer_leads_to_one_published_post(stack: Stack, form: Form, answer: Answer) -> None:
    account = await answered_by(stack, form, answer)
    post = await settled(stack, await start(stack, form, account))
    assert (await public_texts(stack, account), post.status) == (1, PostStatus.PUBLISHED)


@pytest.mark.usefixtures("quick_confirms", "quick")
@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize("problem", ["No.", "Application does not have permission for this action"])
async def test_reply_that_threads_refuses_after_publishing_it_is_published(
    stack: Stack, status: int, problem: str
) -> None:
    account = await stack.connect("threads")
    first = await settled(stack, await start(stack, THREAD, account))
    body = {"error": {**GRAPH, "code": 10, "message": problem}}
    await stack.fault(
        "threads", "accept_then_answer", "publish", accountId=account.id, times=50, status=status, body=body
    )
    reply = await settled(stack, await start(stack, THREAD, account, replyToId=first.targets[0].platform_post_id))
    assert (await public_texts(stack, account), reply.status) == (2, PostStatus.PUBLISHED)


@pytest.mark.usefixtures("quick_confirms", "quick")
async def test_retry_finds_a_reel_that_became_public_after_its_refusal_counted(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(videos, "BELIEVED_AFTER", timedelta(0))
    account = await stack.connect("facebook", accessToken="a-token-of-a-late-reel")
    refusal = {"error": {**GRAPH, "code": 6000}}
    await stack.fault("facebook", "reject", "publish", accountId=account.id, status=400, body=refusal)
    post = await settled(stack, await start(stack, REEL, account))
    assert (await public_texts(stack, account), post.status) == (0, PostStatus.FAILED)
    async with stack.database.reading() as session:
        handles = (await session.get_one(Target, post.targets[0].id)).handles
    late = {"upload_phase": "finish", "video_id": handles["video"]["id"], "video_state": "PUBLISHED"}
    headers = {"Authorization": "Bearer a-token-of-a-late-reel"}
    url = f"{stack.sandbox_url}/facebook/v25.0/{account.user_id}/video_reels"
    (await stack.http.post(url, data=late, headers=headers)).raise_for_status()
    await stack.retry(post)
    post = await settled(stack, post)
    assert (await public_texts(stack, account), post.status) == (1, PostStatus.PUBLISHED)


PLAYED = {fake.platform: fake for fake in load_fakes(World())[0]}


def own_refusals(platform: str) -> list[Answer]:
    """Return refusals as the platform itself words them, also with a status of success."""
    fake = PLAYED[platform]
    own = {"content": fake.refused_content(), "limit": fake.rate_limited(1), "token": fake.token_expired()}
    return [
        Answer(f"{name}-{status}", status, json.loads(answer.body))
        for name, answer in own.items()
        for status in (answer.status, 200)
    ]


@pytest.mark.usefixtures("quick_confirms", "quick")
@pytest.mark.parametrize("form", [form for form in FIRST if form.confirmed != "never"], ids=str)
@pytest.mark.thorough
@pytest.mark.timeout(240)
async def test_a_refusal_of_a_public_post_is_looked_up_before_each_repeat(stack: Stack, form: Form) -> None:
    answers = own_refusals(form.platform)
    results = await asyncio.gather(*(publish(stack, form, answer) for answer in answers))
    shown = {answer.name: times for answer, (times, _) in zip(answers, results, strict=True)}
    assert {name: times for name, times in shown.items() if times != 1} == {}
