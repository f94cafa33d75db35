"""`socialsyncer doctor POST`: everything known about one post, and what to do now."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from temporalio.client import Client

from domain.plan import MEDIA_BUSY
from domain.post import PostStatus
from reconcile.doctor.findings import Exit
from reconcile.doctor.waiting import TEMPORAL_UNAVAILABLE
from store.models import Post
from tests.cli.commands import bare, production, run
from tests.cli.test_history import ALICE, alice, scheduled
from tests.stack import Stack

__all__ = ["alice", "bare", "production"]
pytestmark = pytest.mark.usefixtures("early_confirm", "production")


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reconcile.doctor.one_post.AGAIN_AFTER_S", 0.2)


async def doctor(post: Post) -> dict[str, Any]:
    result = await run("doctor", post.id, "--json")
    report: dict[str, Any] = json.loads(result.stdout)
    assert result.exit_code == report["exitCode"], result.output
    return report


async def text(post: Post) -> list[str]:
    return (await run("doctor", post.id)).stdout.splitlines()


async def test_a_post_that_waits_for_its_time_needs_nothing(own: Stack) -> None:
    post = await scheduled(own, "waits for its time")
    report = await doctor(post)
    assert report["exitCode"] == Exit.AGREES
    assert report["row"].startswith("The row says scheduled, due at ")
    assert "It knows version 1 and says scheduled: Sleeping until" in " ".join(report["workflow"])
    assert (report["now"], report["attempts"], report["findings"]) == ([], [], [])
    assert (await text(post))[-2:] == ["What to do now:", "  Nothing."]


async def test_failed_post_shows_reason_and_advice(own: Stack) -> None:
    await own.fault(
        "twitter",
        "reject",
        "publish",
        status=403,
        body={"type": "about:blank", "title": "Forbidden", "detail": "You are not permitted to perform this action."},
    )
    post = await own.publish("failed, and told why", [own.accounts["plain"]])
    report = await doctor(post)
    assert report["exitCode"] == Exit.NEEDS_A_PERSON
    assert "failed" in report["targets"][0]["explanation"]
    assert [attempt["action"] for attempt in report["attempts"]] == ["failed"]
    (advice,) = report["now"]
    assert advice["fixedBy"] == "person"


async def test_a_held_post_names_the_account_to_reconnect(own: Stack) -> None:
    post = await own.save("held for its account", [await own.revoked("twitter")])
    await own.start(post)

    async def held() -> bool:
        return (await own.read(post.id)).targets[0].status == "held"

    assert await own.outcomes.wait(post.id, held, 20)
    report = await doctor(post)
    assert report["targets"][0]["waitsFor"] == "account"
    assert "Its platform refuses the account since" in report["targets"][0]["explanation"]
    assert any(line.startswith("waiting: ") for line in report["platform"])
    assert f"socialsyncer accounts add twitter --workspace {own.workspace_id}" in report["now"][0]["text"]
    assert report["exitCode"] == Exit.NEEDS_A_PERSON


async def test_a_post_whose_answer_was_lost_names_the_command_that_settles_it(own: Stack) -> None:
    account = await own.connect("telegram", workspace_id=own.workspace_id)
    await own.fault("telegram", "accept_then_drop", "publish")
    post = await own.publish("its answer was lost", [account])
    report = await doctor(post)
    assert report["targets"][0]["waitsFor"] == "person"
    assert f"socialsyncer resolve {post.id} telegram published|not-published [ID]" in report["now"][0]["text"]
    assert report["exitCode"] == Exit.NEEDS_A_PERSON


async def test_terminated_post_names_the_operator_and_its_recovery(own: Stack, alice: Client) -> None:
    post = await scheduled(own, "terminated, and told")
    await alice.get_workflow_handle(post.workflow_id).terminate(reason="an exercise")
    report = await doctor(post)
    assert f"{ALICE} terminated it: an exercise." in report["workflow"]
    assert [finding["kind"] for finding in report["findings"]] == ["workflow_lost"]
    assert report["exitCode"] == Exit.FIXES_ITSELF


async def test_late_post_shows_its_delay(own: Stack) -> None:
    post = await own.publish("late by 42 s", [own.accounts["plain"]])
    async with own.database.transaction() as session:
        target = await session.merge(post.targets[0])
        assert target.begun_at
        target.due_at = target.begun_at - timedelta(seconds=42)
    assert "begun 42.0 s after that" in (await doctor(post))["targets"][0]["explanation"]


async def test_a_target_that_waits_for_other_media_is_not_said_to_wait_for_its_rate_limit(own: Stack) -> None:
    post = await own.publish("waits for other media", [own.accounts["plain"]])
    async with own.database.transaction() as session:
        target = await session.merge(post.targets[0])
        target.status, target.error_code = "publishing", MEDIA_BUSY
        target.next_attempt_at = datetime.now(UTC) + timedelta(hours=1)
    report = await doctor(post)
    assert report["targets"][0]["waitsFor"] == "media"
    assert report["now"][0]["text"].startswith("By itself: other media of its workspace are fetched first.")


async def test_a_draft_has_no_workflow_and_needs_none(own: Stack) -> None:
    saved = await own.save("a draft", [own.accounts["plain"]], due_in=timedelta(hours=5))
    post = await own.write_change(saved, due=None, draft=True)
    report = await doctor(post)
    assert (report["exitCode"], report["workflow"]) == (Exit.AGREES, ["A draft has no workflow."])


async def test_rows_are_reported_without_temporal(own: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    post = await own.publish("told from its rows", [own.accounts["plain"]])
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    report = await doctor(post)
    assert report["exitCode"] == Exit.COULD_NOT_CHECK
    assert report["row"].startswith(f"The row says {PostStatus.PUBLISHED}")
    assert report["couldNotCheck"] == [f"{TEMPORAL_UNAVAILABLE} The post's workflow could not be read."]


async def test_a_deleted_post_leads_to_its_history(own: Stack) -> None:
    post = await own.publish("deleted before the question", [own.accounts["plain"]])
    await own.delete(post)
    result = await run("doctor", post.id)
    assert result.exit_code == 3
    assert result.stderr.startswith(f"Error: {post.id} was deleted at ")
    assert f"`socialsyncer history {post.id}` says by whom." in result.stderr
