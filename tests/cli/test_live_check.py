"""The command asks before anything is public, and writes a report without secrets that may be forwarded."""

import json
from pathlib import Path

import pytest

from cli.environment import Environment
from cli.live_check.command import file_named, find_host
from tests.cli.commands import production, run
from tests.stack import Stack

__all__ = ["production"]


async def test_live_check_publishes_only_after_confirmation(production: Stack) -> None:
    account = await production.connect("mastodon")
    command = ("live-check", "mastodon", "--account", account.id, "--workspace", production.workspace_id)
    refused = await run(*command, stdin="n\n")
    assert refused.exit_code == 1
    assert "This publishes up to 4 posts" in refused.stderr
    assert (await production.control("GET", f"posts?accountId={account.id}"))["posts"] == []


@pytest.mark.parametrize("to_stdout", [True, False])
async def test_it_writes_a_report(production: Stack, tmp_path: Path, *, to_stdout: bool) -> None:
    account, file = await production.connect("mastodon"), tmp_path / "report.json"
    command = ("live-check", "mastodon", "--account", account.id, "--workspace", production.workspace_id, "--yes")
    result = await run(*command, "--only", "text", "--out", "-" if to_stdout else str(file))
    assert result.exit_code == 0, result.output
    report = json.loads(result.stdout if to_stdout else file.read_text())
    assert (report["platform"], [sample["sample"] for sample in report["samples"]]) == ("mastodon", ["text"])
    assert account.username not in json.dumps(report["samples"][0]["exchanges"])
    assert "as assumed" in (result.stderr if to_stdout else result.stdout)
    (post,) = (await production.control("GET", f"posts?accountId={account.id}"))["posts"]
    assert post["deleted"]


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("nowhere", "--account", "x"), "There is no platform"),
        (("mastodon", "--account", "ma_0"), "has no account ma_0"),
        (("mastodon", "--account", "x", "--only", "song"), "There is no sample"),
        (("mastodon", "--account", "x", "--set", "visibility"), "NAME=VALUE"),
    ],
)
async def test_unknown_samples_are_reported(production: Stack, arguments: tuple[str, ...], says: str) -> None:
    result = await run("live-check", *arguments, "--workspace", production.workspace_id, "--yes")
    assert result.exit_code == 1
    assert says in result.stderr


async def test_files_that_platforms_fetch_are_at_our_own_address(stack: Stack) -> None:
    settings = stack.settings.model_copy(update={"sandbox_url": "", "public_url": "https://posts.example"})
    host = find_host(Environment(settings), stack.worker_database, stack.workspace_id)
    assert host
    address = await host(await file_named("portrait.jpg"))
    assert address.startswith("https://posts.example/media/")
    assert address.endswith(".jpg")
    without = settings.model_copy(update={"public_url": ""})
    assert find_host(Environment(without), stack.worker_database, stack.workspace_id) is None
