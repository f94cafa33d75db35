"""`socialsyncer doctor` as an operator runs it, on the session's database and Temporal."""

import asyncio
import json
import time
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest
from click.testing import CliRunner, Result
from temporalio.testing import WorkflowEnvironment

from cli.doctor import to_text
from cli.main import main
from reconcile.doctor.findings import Exit, Finding, FindingKind, FixedBy, Report, Subject
from tests.reconcile.doctor.conftest import asleep
from tests.reconcile.test_readiness import black_hole
from tests.stack import Stack
from tests.workspaces import new_workspace


@pytest.fixture(autouse=True)
def environment(
    stack: Stack, temporal: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> pytest.MonkeyPatch:
    """Set the environment up as an operator does."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOCIALSYNCER_DATABASE_URL", stack.database_url.replace("+asyncpg", ""))
    monkeypatch.setenv("SOCIALSYNCER_ENCRYPTION_KEYS", stack.settings.encryption_keys[0].get_secret_value())
    monkeypatch.setenv("SOCIALSYNCER_SANDBOX_URL", stack.sandbox_url)
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal.client.service_client.config.target_host)
    monkeypatch.setattr("reconcile.doctor.doctor.AGAIN_AFTER_S", 0.2)
    monkeypatch.setattr("cli.doctor.AGAIN_AFTER_S", 0.2)
    return monkeypatch


async def doctor(*arguments: str) -> Result:
    """Run the command in a thread, where it can have an event loop of its own."""
    return await asyncio.to_thread(CliRunner().invoke, main, ["doctor", *arguments])


async def test_doctor_reports_as_text_and_json(stack: Stack) -> None:
    async with new_workspace(stack) as own:
        await check_reports(own)


async def check_reports(own: Stack) -> None:
    post, handle = await asleep(own, "hush: its content", timedelta(minutes=30))
    healthy = await doctor("--workspace", own.workspace_id)
    assert (healthy.exit_code, healthy.stderr) == (0, "")
    assert healthy.stdout.startswith("All agree. Compared: 1 live post, 1 running workflow")
    assert "only this machine's was compared with the database's" in healthy.stdout
    await handle.terminate()
    completed = await doctor("--workspace", own.workspace_id)
    assert completed.exit_code == 1
    assert completed.stdout.startswith(
        f"workflow_lost: {post.id}\n  The row says scheduled, but its workflow was terminated"
    )
    assert "\n\n1 healing by themselves. Compared: " in completed.stdout
    answer = json.loads((await doctor("--workspace", own.workspace_id, "--json")).stdout)
    assert answer["exitCode"] == 1
    assert answer["compared"]["posts"] == 1
    assert "only this machine's" in answer["clocks"]
    assert [(finding["kind"], finding["fixedBy"], finding["postId"]) for finding in answer["findings"]] == [
        ("workflow_lost", "system", post.id)
    ]
    assert "hush" not in completed.stdout + json.dumps(answer)


@pytest.mark.thorough
async def test_doctor_prints_five_findings_of_a_kind(stack: Stack) -> None:
    async with new_workspace(stack) as own:
        posts = [await asleep(own, f"one of many {number}", timedelta(minutes=30)) for number in range(7)]
        for _, handle in posts:
            await handle.terminate()
        completed = await doctor("--workspace", own.workspace_id)
        assert completed.stdout.startswith("workflow_lost: 7 in all. The first 5; --all shows the others.\n\n")
        assert completed.stdout.count("workflow_lost: post_") == 5
        whole = await doctor("--workspace", own.workspace_id, "--all")
        assert whole.stdout.count("workflow_lost: post_") == 7
        assert len(json.loads((await doctor("--workspace", own.workspace_id, "--json")).stdout)["findings"]) == 7


@pytest.mark.thorough
async def test_a_locked_table_is_reported_before_the_lock_ends(stack: Stack) -> None:
    connection = await asyncpg.connect(stack.database_url.replace("+asyncpg", ""))
    try:
        async with asyncio.timeout(25), connection.transaction():
            await connection.execute("LOCK TABLE posts IN ACCESS EXCLUSIVE MODE")
            completed = await doctor()
    finally:
        await connection.close()
    assert completed.exit_code == Exit.COULD_NOT_CHECK
    assert completed.stdout.startswith(
        "Another session has locked a table of the database, so nothing could be compared."
    )


async def test_waiting_targets_are_reported_without_findings(stack: Stack) -> None:
    async with new_workspace(stack) as own:
        post = await own.save("waits for its account", [await own.revoked("twitter")])
        await own.start(post)

        async def held() -> bool:
            return (await own.read(post.id)).targets[0].status == "held"

        assert await own.outcomes.wait(post.id, held, 10)
        completed = await doctor("--workspace", own.workspace_id)
        assert completed.exit_code == 0
        assert (
            "waiting: 1 post to X waits for accounts to be reconnected: `socialsyncer accounts list --all --refused`"
            in completed.stdout
        )
        (waiting,) = json.loads((await doctor("--workspace", own.workspace_id, "--json")).stdout)["waiting"]
        assert waiting.startswith("waiting: 1 post to X")


async def test_all_parts_that_are_away_are_named(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("SOCIALSYNCER_DATABASE_URL", "postgresql://u:p@127.0.0.1:1/d")
    environment.setenv("TEMPORAL_ADDRESS", "127.0.0.1:1")
    completed = await doctor()
    assert completed.exit_code == 3
    assert completed.stdout.startswith("The database does not answer")
    assert "Temporal does not answer" in completed.stdout


async def test_hanging_parts_are_named_within_ten_seconds(environment: pytest.MonkeyPatch) -> None:
    async with black_hole() as address:
        environment.setenv("SOCIALSYNCER_DATABASE_URL", f"postgresql://u:p@{address}/d")
        environment.setenv("TEMPORAL_ADDRESS", address)
        began = time.monotonic()
        completed = await doctor()
        assert time.monotonic() - began < 10
    assert (completed.exit_code, "The database does not answer" in completed.stdout) == (3, True), completed.stdout
    assert "Temporal does not answer" in completed.stdout


async def test_the_stack_that_runs_here_is_named(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.delenv("SOCIALSYNCER_DATABASE_URL")
    without = await doctor()
    assert without.exit_code == 3
    assert (
        "To act on a development stack, add --data-dir and the folder that `socialsyncer dev` uses." in without.stdout
    )
    assert without.stdout.endswith("Nothing was compared.\n")
    (tmp_path / ".socialsyncer").mkdir()
    (tmp_path / ".socialsyncer/dev.json").write_text("{}")
    beside_one = await doctor()
    assert "To act on the stack that runs here, add --data-dir .socialsyncer." in beside_one.stdout


async def test_unavailable_parts_are_checked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    reports = [Report(away=["No worker answered for 1 workflow."]), Report()]

    async def diagnose(*_: object) -> Report:
        return reports.pop(0)

    monkeypatch.setattr("cli.doctor._diagnose", diagnose)
    monkeypatch.setattr("cli.doctor.AGAIN_AFTER_S", 0)
    completed = await doctor()
    assert (completed.exit_code, reports) == (0, [])
    assert completed.stdout.startswith("All agree")


def test_causes_are_listed_before_effects() -> None:
    late = Finding(FindingKind.LATE, FixedBy.SYSTEM, Subject(post_id="post_1"), "It is late.", "It goes out soon.")
    cause = Finding(FindingKind.NO_WORKER, FixedBy.PERSON, Subject(platform="posts"), "No worker.", "Start a worker.")
    text = to_text(Report(findings=[late, cause], away=["The sandbox is away."]), 1)
    assert [text.index(word) for word in ("The sandbox", "no_worker:", "late:")] == sorted(
        text.index(word) for word in ("The sandbox", "no_worker:", "late:")
    )


@pytest.mark.parametrize(
    ("variable", "value", "sentence"),
    [
        ("SOCIALSYNCER_DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/d", "The database does not answer"),
        (
            "SOCIALSYNCER_DATABASE_URL",
            "{server}/nowhere_hunter2",
            "The database refuses the login that SOCIALSYNCER_DATABASE_URL names (InvalidCatalogNameError).",
        ),
        ("TEMPORAL_ADDRESS", "127.0.0.1:1", "Temporal does not answer"),
        ("SOCIALSYNCER_DATABASE_URL", "mysql://u:hunter2@h/d", "The environment is not set up"),
    ],
)
async def test_an_unavailable_part_is_one_sentence(
    environment: pytest.MonkeyPatch, postgres_url: str, variable: str, value: str, sentence: str
) -> None:
    environment.setenv(variable, value.format(server=postgres_url.replace("+asyncpg", "")))
    result = await doctor()
    assert (result.exit_code, result.stderr) == (3, "")
    assert result.stdout.startswith(sentence)
    assert "hunter2" not in result.output
    assert json.loads((await doctor("--json")).stdout)["exitCode"] == 3


async def test_an_unavailable_part_is_not_healthy(tmp_path: Path) -> None:
    unknown = await doctor("--workspace", "nobody's")
    assert (unknown.exit_code, unknown.stdout.splitlines()[0]) == (3, "There is no workspace nobody's.")
    nowhere = await doctor("--data-dir", str(tmp_path / "none"))
    assert nowhere.exit_code == 3
    assert nowhere.stdout.startswith(f"No stack runs in {tmp_path / 'none'}")
