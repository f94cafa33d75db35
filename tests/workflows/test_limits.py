"""A workflow meets its limits: values for Temporal, mistakes in its code, rows that cannot be read."""

import json
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select
from temporalio.service import RPCError, RPCStatusCode

from activities.options import POSTS_QUEUE, platform_queue
from domain.attempts import WhenUnreadable
from domain.errors import Unavailable
from domain.ids import new_id, new_workspace_id, workflow_id
from domain.plan import Plan, TargetPlan
from domain.post import PostStatus, TargetStatus
from domain.temporal_limits import (
    LARGEST_SEARCH_ATTRIBUTE,
    LONGEST_FAIRNESS_KEY,
    LONGEST_ID,
    LONGEST_KEYWORD,
    SEARCH_ATTRIBUTES,
)
from platforms.registry import platforms
from store.models import Account, Attempt, Post
from store.publishing.claims import write_when_unreadable
from tests.platforms.forms import FORMS, Form, quick
from tests.stack import Stack
from tests.workflows import scenarios
from tests.workflows.scenarios import Handle
from tests.workflows.test_deployed import NONDETERMINISM
from tests.workflows.test_wrong_answers import PLAYED, connect, public_texts, start
from tests.workflows.waiting import events, until
from tests.workflows.workers import SANDBOXED, UNCACHED, posts_worker
from workflows import steps
from workflows.post import PostWorkflow
from workflows.search_attributes import REGISTRY, post_attributes


async def test_post_is_published_once_corrected_code_is_deployed(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    publish, mistakes = steps.publish_locally, list[str]()

    async def broken(*args: Any) -> Any:
        if not mistakes:
            mistakes.append("made")
            raise KeyError("a mistake of ours")
        return await publish(*args)

    monkeypatch.setattr(steps, "publish_locally", broken)
    post = await stack.publish("held up", [stack.accounts["twitter"]])
    assert post.status == PostStatus.PUBLISHED
    assert len(await stack.public("held up")) == 1
    history = await stack.client.get_workflow_handle(post.workflow_id).fetch_history()
    failed = [event for event in history.events if event.HasField("workflow_task_failed_event_attributes")]
    assert mistakes == ["made"]
    assert len(failed) == 1


@pytest.mark.thorough
async def test_bug_in_one_target_fails_the_workflow_task_until_corrected(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If it failed only after the other target ended, its steps would be in the history and could not be repeated."""
    publish, broken = steps.publish_locally, True

    async def mistaken(plan: Plan, target: Any, deadline: datetime) -> Any:
        if broken and target.account_id == stack.accounts["plain"].id:
            raise KeyError("a mistake of ours")
        return await publish(plan, target, deadline)

    monkeypatch.setattr(steps, "publish_locally", mistaken)
    await stack.fault("instagram", "accept_then_delay", "publish", seconds=3)
    accounts = [stack.accounts["instagram"], stack.accounts["plain"]]
    post = await stack.save("half a mistake", accounts, media=["https://example.com/a.jpg"])
    handle = await stack.start(post)
    await until(lambda: _has_failed(handle), 2.5)
    broken = False
    assert (await stack.settled(post.id)).status == PostStatus.PUBLISHED
    assert len(await stack.public("half a mistake")) == 2
    async with stack.database.transaction() as session:
        ids = [target.id for target in post.targets]
        of_post = select(Attempt.state).where(Attempt.step == "publish", Attempt.target_id.in_(ids))
        sent = sorted(await session.scalars(of_post))
    assert sent == ["done", "done"]
    failures = await events(handle, "workflow_task_failed_event_attributes")
    assert NONDETERMINISM not in {event.workflow_task_failed_event_attributes.cause for event in failures}


async def _has_failed(handle: Handle) -> bool:
    return bool(await events(handle, "workflow_task_failed_event_attributes"))


@pytest.mark.parametrize(
    "scenario",
    [scenarios.published_now, scenarios.partial_and_retried_by_signal, scenarios.amended],
    ids=lambda scenario: scenario.__name__,
)
async def test_workflow_runs_in_temporals_sandbox(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, scenario: scenarios.Scenario
) -> None:
    async with posts_worker(stack, monkeypatch, "posts-sandboxed", **SANDBOXED):
        handle = await scenario(stack)
        assert (await handle.query("status"))["status"] == "published"


@pytest.mark.parametrize(
    "scenario",
    [
        scenarios.scheduled_with_media_soon,
        scenarios.unconfirmed_and_found,
        scenarios.failed_and_retried_by_update,
        scenarios.edited,
    ],
    ids=lambda scenario: scenario.__name__,
)
async def test_workflow_runs_without_a_cache(
    stack: Stack, monkeypatch: pytest.MonkeyPatch, scenario: scenarios.Scenario
) -> None:
    async with posts_worker(stack, monkeypatch, "posts-uncached", **UNCACHED):
        handle = await scenario(stack)
        assert (await handle.query("status"))["status"] == "published"


__all__ = ["quick"]

UNSEEN = [form for form in FORMS if form.confirmed == "never"]


async def lie_about(stack: Stack, form: Form, account: Account, refusal: str) -> None:
    answer = getattr(PLAYED[form.platform], refusal)(*([1] if refusal == "rate_limited" else []))
    lie = {"accountId": account.id, "status": answer.status, "body": json.loads(answer.body), "times": 50}
    await stack.fault(form.platform, "accept_then_answer", "publish", **lie)


async def person_asked(stack: Stack, post: Post) -> Post:
    """Return the post once its target is unconfirmed and a person is asked."""

    async def asked() -> bool:
        target = (await stack.read(post.id)).targets[0]
        return target.status == TargetStatus.UNCONFIRMED and not target.confirming

    assert await stack.outcomes.wait(post.id, asked, 30)
    return await stack.read(post.id)


@pytest.mark.usefixtures("quick_confirms", "quick", "no_read_lag")
@pytest.mark.parametrize("form", UNSEEN, ids=str)
@pytest.mark.parametrize("refusal", ["rate_limited", "token_expired"])
@pytest.mark.thorough
async def test_refusals_that_lie_make_two_copies_at_most_where_nothing_can_be_read(
    stack: Stack, form: Form, refusal: str
) -> None:
    account = await connect(stack, form)
    await lie_about(stack, form, account, refusal)
    post = await person_asked(stack, await start(stack, form, account))
    copies = await public_texts(stack, account)
    assert 1 <= copies <= 2
    # A person looked, and wants it again.
    await stack.resolve(post, None, published=False)
    await stack.retry(post)
    await person_asked(stack, post)
    assert await public_texts(stack, account) <= copies + 2


@pytest.mark.usefixtures("quick_confirms", "quick", "no_read_lag")
@pytest.mark.parametrize("form", [form for form in UNSEEN if form.platform in {"telegram", "discord"}], ids=str)
@pytest.mark.parametrize("refusal", ["rate_limited", "refused_content"])
async def test_owner_who_wants_to_be_asked_gets_one_copy_at_most(stack: Stack, form: Form, refusal: str) -> None:
    account = await connect(stack, form)
    async with stack.api_database.transaction() as session:
        await write_when_unreadable(session, account.workspace_id, WhenUnreadable.ASK_ME, account.id)
    await lie_about(stack, form, account, refusal)
    await person_asked(stack, await start(stack, form, account))
    assert await public_texts(stack, account) == 1


@pytest.mark.usefixtures("quick_confirms", "quick", "no_read_lag")
async def test_telegram_that_moves_a_chat_after_each_success_makes_two_copies_at_most(stack: Stack) -> None:
    account = await stack.connect("telegram")
    moved = {"ok": False, "error_code": 400, "description": "Bad Request: group chat was upgraded to a supergroup chat"}
    body = moved | {"parameters": {"migrate_to_chat_id": int(account.user_id)}}
    lie = {"accountId": account.id, "status": 400, "body": body, "times": 50}
    await stack.fault("telegram", "accept_then_answer", "publish", **lie)
    await person_asked(stack, await start(stack, Form("telegram"), account))
    assert 1 <= await public_texts(stack, account) <= 2


def test_search_attributes_have_columns() -> None:
    assert all(count <= SEARCH_ATTRIBUTES[kind] for kind, count in Counter(REGISTRY.values()).items())


def test_names_fit() -> None:
    for name in (PostWorkflow.__name__, POSTS_QUEUE, *map(platform_queue, platforms())):
        assert len(name.encode()) <= LONGEST_ID


def test_values_of_search_attributes_fit() -> None:
    targets = [
        TargetPlan(target_id=new_id("tgt"), platform=f"network{number}", account_id="a" * 300 + str(number))
        for number in range(200)
    ]
    plan = Plan(
        post_id=new_id("post"),
        workspace_id=new_workspace_id(),
        workflow_id="w",
        due_at=datetime.now(UTC),
        targets=targets,
        tags=["\u00e9" * 200, *(f"tag {number} {'t' * 100}" for number in range(200))],
    )
    for pair in post_attributes(plan, PostStatus.SCHEDULED):
        for value in pair.value if isinstance(pair.value, list) else [str(pair.value)]:
            assert len(value.encode()) <= LONGEST_KEYWORD
        if isinstance(pair.value, list):
            assert sum(len(value.encode()) + 3 for value in pair.value) <= LARGEST_SEARCH_ATTRIBUTE


def test_fairness_keys_and_workflow_ids_fit() -> None:
    workspace_id = new_workspace_id()
    assert len(workspace_id.encode()) <= LONGEST_FAIRNESS_KEY
    assert len(workflow_id(workspace_id, "p", "k" * 255, 10**9).encode()) <= LONGEST_ID


async def test_the_test_server_refuses_an_id_longer_than_production_allows(stack: Stack) -> None:
    post = await stack.save("under a long id", [stack.accounts["plain"]], due_in=timedelta(hours=1))
    plan = (await stack.plan(post)).model_copy(update={"workflow_id": "x" * (LONGEST_ID + 1)})
    with pytest.raises(Unavailable) as refusal:
        await stack.workflows.start(plan)
    cause = refusal.value.__cause__
    assert isinstance(cause, RPCError)
    assert cause.status is RPCStatusCode.INVALID_ARGUMENT
