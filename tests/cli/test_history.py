"""`socialsyncer history`: every action of clients, operators and workers on a post, in one time line."""

import asyncio
import json
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.api.batch.v1 import BatchOperationCancellation
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import RequestCancelWorkflowExecutionRequest, StartBatchOperationRequest
from temporalio.client import Client
from temporalio.service import RPCError
from temporalio.testing import WorkflowEnvironment

from activities.operators import IDENTITY
from cli.history import TEMPORAL_AWAY
from domain.ids import new_id
from domain.post import PostStatus
from reconcile.recovery import Recovery
from runtime.temporal import DATA_CONVERTER, open_client
from store.models import Post
from store.posts.delivery import record_delivered
from tests.cli.commands import bare, production, run
from tests.stack import Stack
from workflows.client.runs import Runs

__all__ = ["bare", "production"]
pytestmark = pytest.mark.usefixtures("early_confirm", "production")

ALWAYS = datetime(1970, 1, 1, tzinfo=UTC)
ALICE = "temporal-cli:alice@operations"


@pytest.fixture
async def alice(temporal: WorkflowEnvironment) -> Client:
    """Return a client as an operator with her own identity has it, at Temporal's CLI or Web UI."""
    address = temporal.client.service_client.config.target_host
    return await Client.connect(address, identity=ALICE, data_converter=DATA_CONVERTER)


async def history(post: Post) -> list[dict[str, Any]]:
    result = await run("history", post.id, "--json")
    assert result.exit_code == 0, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def actions(events: list[dict[str, Any]]) -> list[str]:
    return [event["action"] for event in events]


async def scheduled(own: Stack, content: str, due_in: timedelta = timedelta(hours=5)) -> Post:
    post = await own.save(content, [own.accounts["plain"]], due_in=due_in)
    handle = await own.start(post)
    assert (await handle.query("status"))["status"] == PostStatus.SCHEDULED
    async with own.database.transaction() as session:
        await record_delivered(session, {post.id: post.version})
    return post


async def until(own: Stack, post: Post, status: PostStatus) -> None:
    async def done() -> bool:
        return (await own.read(post.id)).status == status

    assert await own.outcomes.wait(post.id, done, 30), (await own.read(post.id)).status


async def test_the_trail_names_who_cancelled_a_workflow(own: Stack, alice: Client) -> None:
    post = await scheduled(own, "cancelled by Alice")
    await alice.get_workflow_handle(post.workflow_id).cancel()
    await until(own, post, PostStatus.FAILED)
    created, cancelled = await history(post)
    assert actions([created, cancelled]) == ["created", "cancelled"]
    assert cancelled["actor"] == {"type": "operator", "id": ALICE}
    assert (cancelled["accountId"], cancelled["version"]) == (own.accounts["plain"].id, 2)
    assert cancelled["summary"].startswith(f"Operator {ALICE} cancelled the workflow.")


async def test_the_trail_names_who_signalled_a_retry(own: Stack, alice: Client) -> None:
    await own.fault("twitter", "reject", "publish", status=403)
    post = await own.publish("retried by Alice", [own.accounts["plain"]])
    await alice.get_workflow_handle(post.workflow_id).signal("retry")
    await until(own, post, PostStatus.PUBLISHED)
    events = await history(post)
    assert actions(events) == ["created", "failed", "retried", "confirmed", "published"]
    assert events[2]["actor"] == {"type": "operator", "id": ALICE}


async def test_signals_without_effect_come_from_temporals_history(own: Stack, alice: Client) -> None:
    post = await own.publish("nothing to retry", [own.accounts["plain"]])
    await alice.get_workflow_handle(post.workflow_id).signal("retry")
    events = await history(post)
    assert actions(events) == ["created", "published", "signalled"]
    assert events[2]["summary"] == f"Operator {ALICE} sent the workflow the signal retry."


async def test_recovery_keeps_the_operator_of_a_termination(own: Stack, alice: Client) -> None:
    post = await scheduled(own, "terminated by Alice")
    await alice.get_workflow_handle(post.workflow_id).terminate(reason="an exercise")
    assert actions(await history(post)) == ["created", "terminated"]
    recovery = Recovery(own.worker_database, own.workflows, Runs(own.client))
    for _ in range(2):
        await recovery.round(ALWAYS, datetime.now(UTC) + timedelta(days=1))
    events = await history(post)
    assert actions(events) == ["created", "terminated", "restarted"]
    assert events[1]["summary"].startswith(f"Operator {ALICE} terminated the workflow (an exercise).")
    assert events[2]["actor"] == {"type": "recovery"}
    assert events[2]["summary"] == (
        f"Started again from its row: its workflow was terminated by {ALICE} (an exercise)."
    )


async def test_history_of_a_deleted_post_is_a_table(own: Stack) -> None:
    post = await own.publish("deleted since", [own.accounts["plain"]])
    await own.delete(post)
    result = await run("history", post.id)
    assert result.exit_code == 0
    created, published, deleted = result.stdout.splitlines()
    assert created.endswith("Z  The post was created.")
    assert "Published on X account" in published
    assert deleted.endswith(f"API key {(await own.actor()).id} deleted the post.")


async def test_a_post_that_is_not_known_is_named() -> None:
    post_id = new_id("post")
    result = await run("history", post_id)
    assert (result.exit_code, result.stderr) == (
        1,
        f"Error: There is no post {post_id}, and the audit trail has none.\n",
    )


async def test_history_without_temporal_names_the_missing_part(own: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    post = await own.publish("told without Temporal", [own.accounts["plain"]])
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    result = await run("history", post.id)
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == 2
    assert result.stderr == f"{TEMPORAL_AWAY}\n"


async def test_own_processes_are_not_operators(temporal: WorkflowEnvironment) -> None:
    client = await open_client(address=temporal.client.service_client.config.target_host, attempts=1)
    assert client.identity.startswith(f"{IDENTITY}:")


async def test_batch_operations_show_operator_and_reason(own: Stack, alice: Client) -> None:
    """Temporal records its own process as the one that cancelled each of the workflows."""
    post = await scheduled(own, "cancelled with others")
    request = StartBatchOperationRequest(
        namespace=own.client.namespace,
        job_id=str(uuid.uuid4()),
        visibility_query=f'Workspace="{own.workspace_id}" AND ExecutionStatus="Running"',
        reason="stop the campaign",
        cancellation_operation=BatchOperationCancellation(identity=ALICE),
    )
    await until_visible(own, post)
    await began(alice, request)
    await until(own, post, PostStatus.FAILED)
    _, cancelled = await history(post)
    assert cancelled["actor"] == {"type": "operator", "id": ALICE}
    assert cancelled["summary"].startswith(f"Operator {ALICE} cancelled the workflow (stop the campaign).")


async def until_visible(own: Stack, post: Post) -> None:
    async with asyncio.timeout(60):
        while True:
            workflow_ids = [run.workflow_id async for run in Runs(own.client).listed("Running", own.workspace_id)]
            if post.workflow_id in workflow_ids:
                return
            await asyncio.sleep(0.1)


async def began(client: Client, request: StartBatchOperationRequest) -> None:
    """Begin a batch; Temporal runs one at a time."""
    async with asyncio.timeout(60):
        while True:
            try:
                await client.workflow_service.start_batch_operation(request)
            except RPCError as error:
                if "Max concurrent batch operations" not in str(error):
                    raise
                await asyncio.sleep(1)
            else:
                return


async def test_an_unnamed_operator_is_listed_once(own: Stack, temporal: WorkflowEnvironment) -> None:
    """The Web UI sends an identity only if its user has logged in."""
    post = await scheduled(own, "cancelled in the Web UI")
    request = RequestCancelWorkflowExecutionRequest(
        namespace=own.client.namespace, workflow_execution=WorkflowExecution(workflow_id=post.workflow_id)
    )
    await temporal.client.workflow_service.request_cancel_workflow_execution(request)
    await until(own, post, PostStatus.FAILED)
    _, cancelled = await history(post)
    assert cancelled["actor"] == {"type": "operator"}
    assert cancelled["summary"].startswith("An operator cancelled the workflow. Not sent any more: X account")


async def test_a_command_of_ours_names_its_user(own: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "bob")
    account = await own.connect("telegram", workspace_id=own.workspace_id)
    await own.fault("telegram", "accept_then_drop", "publish")
    post = await own.publish("settled by Bob", [account])
    assert post.targets[0].status == "unconfirmed"
    settled = await run("resolve", post.id, "telegram", "published", "42", "--yes")
    assert settled.exit_code == 0, settled.output
    resolved = (await history(post))[-1]
    assert resolved["action"] == "resolved"
    assert resolved["actor"]["type"] == "operator"
    assert resolved["actor"]["id"].startswith("bob@")


async def test_a_post_is_found_by_what_its_platform_calls_it(own: Stack) -> None:
    post = await own.publish("a customer has only the link", [own.accounts["plain"]])
    (target,) = (await own.read(post.id)).targets
    assert target.platform_post_id
    assert target.platform_post_url
    by_id = await run("history", post.id, "--json")
    for name in (target.platform_post_id, target.platform_post_url):
        assert (await run("history", name, "--json")).stdout == by_id.stdout
    report = json.loads((await run("doctor", target.platform_post_url, "--json")).stdout)
    assert report["postId"] == post.id
    unknown = await run("history", "https://x.com/somebody/status/1")
    assert (unknown.exit_code, "There is no post https://x.com/somebody/status/1" in unknown.stderr) == (1, True)
