"""Platforms that publish and then answer wrongly: no post is public twice, or failed while it is public."""

import asyncio
import contextlib
import itertools
from dataclasses import dataclass
from typing import Any

import pytest

from domain.errors import Conflict
from domain.post import PostStatus, TargetStatus
from store.models import Account, Post
from tests.platforms.forms import FIRST, Form, quick
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
    ],
    "telegram": [
        Answer("unknown", 400, {"ok": False, "error_code": 400, "description": "Bad Request: NEVER_HEARD_OF"})
    ],
    "threads": [Answer("reply-500", 500, {"error": {**GRAPH, "code": 10}}), Answer("unknown", 400, {"error": GRAPH})],
    "tiktok": [Answer("unknown", 400, {"data": {}, "error": {"code": "never_heard_of", "message": "", "log_id": "1"}})],
    "twitter": [
        Answer("unknown", 400, {"title": "No", "detail": "No.", "type": "https://api.x.com/2/problems/never-heard-of"}),
        Answer("error-200", 200, {"errors": [{"title": "No", "detail": "No.", "type": "about:blank"}]}),
        Answer("beside", 200, {"errors": [{"title": "No", "detail": "No.", "type": "about:blank"}]}, beside=True),
    ],
    "youtube": [Answer("unknown", 400, {"error": {"code": 400, "errors": [{"reason": "neverHeardOf"}]}})],
}
"""Answers in a platform's own form whose code no documentation names, and answers with the post beside an error."""
CASES = [(form, answer) for form in FIRST for answer in [*ANYWHERE, *OWN[form.platform]]]
RETRIES = 2
_numbers = itertools.count(1)


async def connect(stack: Stack, form: Form) -> Account:
    account = await stack.connect(form.platform)
    if form.account == "page":
        return await stack.connect(form.platform, organizationUrn=f"urn:li:organization:{account.user_id}")
    return account


async def public_texts(stack: Stack, account: Account) -> int:
    posts = await stack.control("GET", f"posts?platform={account.platform}&accountId={account.id}")
    return len(posts["posts"])


async def publish(stack: Stack, form: Form, answer: Answer) -> tuple[int, Post]:
    """Publish a post to an account whose every answer is this one, retry it by hand, return how often it is public."""
    account = await connect(stack, form)
    fault = {"accountId": account.id, "times": 50, "status": answer.status, "body": answer.body}
    await stack.fault(form.platform, "accept_then_answer", "publish", **fault, beside=answer.beside)
    media = [f"{PUBLIC}{name}" for name in form.media]
    text = f"wrong answer {next(_numbers)}" if form.text else ""
    post = await stack.save(text, [account], media=media, settings=dict(form.settings))
    await stack.start(post)
    for _ in range(RETRIES):
        if (await settled(stack, post)).status == PostStatus.PUBLISHED:
            break
        with contextlib.suppress(Conflict):
            await stack.retry(post)
    return await public_texts(stack, account), await settled(stack, post)


async def settled(stack: Stack, post: Post) -> Post:
    """Return the post once it waits for no step; a held one waits for its account."""

    async def done() -> bool:
        row = await stack.read(post.id)
        return row.status not in {PostStatus.SCHEDULED, PostStatus.PUBLISHING} or row.targets[0].status == "held"

    await stack.outcomes.wait(post.id, done, 25)
    return await stack.read(post.id)


@pytest.mark.usefixtures("quick_confirms", "quick")
@pytest.mark.parametrize("form", [form for form in FIRST if form.account != "webhook"], ids=str)
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
    believed = {"unknown"} if form.found != "by confirm" else set[str]()
    assert {name for name, row in shown.items() if row[1] == TargetStatus.FAILED} <= believed


async def test_a_platform_that_lets_nothing_be_read_is_sent_what_it_surely_refused(stack: Stack) -> None:
    account = await stack.connect("twitter")
    await stack.fault("twitter", "rate_limited", "publish", seconds=1, accountId=account.id)
    await stack.fault("twitter", "reject", "confirm", status=403, times=9, accountId=account.id)
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
