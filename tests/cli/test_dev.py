"""The whole of `socialsyncer dev`, from outside: two stacks in parallel, in the order of this file."""

import asyncio
import json
import signal
import stat
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from operator import itemgetter
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import psutil
import pytest

from platforms.registry import platforms
from tests.cli.parts import alive, kill, until
from tests.cli.stacks import DevStack, socialsyncer

pytestmark = pytest.mark.thorough
EXAMPLE = "Hello from SocialSyncerAPI!"
PARTS = {"postgres", "temporal", "temporal-ui", "sandbox", "api", "worker"}
BACK_WITHIN = 15


@pytest.fixture(scope="module")
async def stacks(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[DevStack, DevStack]]:
    first, second = (DevStack(tmp_path_factory.mktemp(name)) for name in ("one", "two"))
    try:
        await asyncio.gather(first.start(), second.start("--no-example", "--verbose"))
        yield first, second
    finally:
        first.destroy()
        second.destroy()


async def test_the_first_start_publishes_the_contracts_example(stacks: tuple[DevStack, DevStack]) -> None:
    first, second = stacks
    by_platform = {post["platform"]: post for post in await first.public(EXAMPLE)}
    assert set(by_platform) == {"instagram", "twitter"}
    assert {post["accountId"] for post in by_platform.values()} <= {acc["accountId"] for acc in first.dev["accounts"]}
    assert "The example post to instagram and twitter: published\n" in first.terminal
    assert await second.public(EXAMPLE) == []


async def test_dev_prints_where_to_look_in_fifteen_lines_and_more_if_asked_to(
    stacks: tuple[DevStack, DevStack],
) -> None:
    first, second = stacks
    dev = first.dev
    assert dev["apiUrl"] == f"http://127.0.0.1:{first.ports['api']}"
    lines = first.terminal[first.terminal.index("Everything is up.") :].splitlines()
    assert len(lines) <= 15
    assert "Calendar" in lines[2]
    for value in (f"{dev['apiUrl']}/calendar", dev["apiKey"], dev["temporalUiUrl"], dev["sandboxUrl"], "curl"):
        assert value in "\n".join(lines)
    assert "PostgreSQL: ready" in first.terminal
    for value in (second.dev["databaseUrl"], second.dev["temporalAddress"], "WaitsFor"):
        assert value in second.terminal
    assert stat.S_IMODE((first.data / "dev.json").stat().st_mode) == 0o600
    assert stat.S_IMODE(first.data.stat().st_mode) == 0o700
    assert {(acc["platform"], acc["premium"]) for acc in dev["accounts"]} >= {("twitter", True), ("instagram", False)}
    assert [acc["premium"] for acc in dev["accounts"] if acc["platform"] == "twitter"] == [True, False]
    assert {acc["platform"] for acc in dev["accounts"]} == set(platforms())
    assert {acc["accountId"] for acc in dev["accounts"]}.isdisjoint(
        {acc["accountId"] for acc in second.dev["accounts"]}
    )
    async with httpx.AsyncClient(trust_env=False) as client:
        for url in (dev["temporalUiUrl"], dev["sandboxUrl"], f"{dev['apiUrl']}/docs"):
            assert (await client.get(url, follow_redirects=True)).status_code == 200
            foreign = await client.get(url, headers={"Host": "evil.example"})
            assert foreign.status_code in {403, 421}
    connection = await asyncpg.connect(dev["databaseUrl"])
    assert await connection.fetchval("SELECT count(*) FROM posts") == 1
    await connection.close()


async def test_each_part_has_the_secrets_that_it_needs_and_no_others(stacks: tuple[DevStack, DevStack]) -> None:
    first, _ = stacks
    state = json.loads((first.data / "state.json").read_text())
    key = (first.data / "encryption.key").read_text().strip()
    owner, api, worker = (state[name] for name in ("postgresPassword", "apiRolePassword", "workerRolePassword"))
    # Only privileged users can read the environment of the worker, which needs the key.
    has = {name: str(psutil.Process(pid).environ()) for name, pid in first.pids.items() if name != "worker"}
    assert {name for name, text in has.items() if api in text} == {"api"}
    assert not any(secret in text for text in has.values() for secret in (owner, worker, key))
    for pid in first.family():
        line = " ".join(psutil.Process(pid).cmdline())
        assert not any(secret in line for secret in (key, owner, api, worker, state["apiKey"])), line


async def test_files_with_secrets_are_their_owners_alone(stacks: tuple[DevStack, DevStack]) -> None:
    data = stacks[0].data
    assert stat.S_IMODE(data.stat().st_mode) == 0o700
    for name in ("dev.json", "state.json", "encryption.key", "run.json", "temporal.db", "logs/api.log"):
        assert stat.S_IMODE((data / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE((data / "postgres").stat().st_mode) == 0o700


async def test_printed_curl_command_works(stacks: tuple[DevStack, DevStack]) -> None:
    command = stacks[0].terminal[stacks[0].terminal.index("curl -X POST") :].partition("\nCtrl-C")[0]
    process = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE)
    assert b'"status":"published"' in (await process.communicate())[0].replace(b" ", b"")


async def test_commands_act_on_a_running_stack(stacks: tuple[DevStack, DevStack]) -> None:
    first, _ = stacks
    where = ("--data-dir", first.data)
    code, key, _ = await socialsyncer("keys", "create", "--workspace", "another", *where)
    assert (code, key.startswith("sk_"), key.count("\n")) == (0, True, 1)
    credentials = '{"accessToken": "any-token", "username": "somebody", "premium": true}'
    code, added, _ = await socialsyncer(
        "accounts", "add", "twitter", "--workspace", "another", *where, stdin=credentials
    )
    assert code == 0
    account = httpx.Response(200, text=added).json()
    assert (account["platform"], account["username"]) == ("twitter", "somebody")
    body = {
        "content": "Hi",
        "platforms": [{"platform": "twitter", "accountId": account["accountId"]}],
        "publishNow": True,
    }
    async with httpx.AsyncClient(trust_env=False, timeout=40) as client:
        answer = await client.post(
            f"{first.dev['apiUrl']}/v1/posts", json=body, headers={"Authorization": f"Bearer {key.strip()}"}
        )
    assert answer.json()["status"] == "published"


@pytest.mark.parametrize("platform", ["mastodon", "bluesky"])
async def test_an_account_that_is_added_again_by_its_name_is_reconnected(
    stacks: tuple[DevStack, DevStack], platform: str
) -> None:
    first, _ = stacks
    where = ("--data-dir", first.data)
    known = next(account for account in first.dev["accounts"] if account["platform"] == platform)
    _, listed, _ = await socialsyncer("accounts", "list", *where)
    name = next(
        account for account in map(json.loads, listed.splitlines()) if account["accountId"] == known["accountId"]
    )["username"]
    async with httpx.AsyncClient(trust_env=False, timeout=40) as client:
        control = f"{first.dev['sandboxUrl']}/_/tokens"
        answer = await client.delete(control, params={"platform": platform, "accountId": known["accountId"]})
        assert answer.status_code == 200
        arguments = (
            {"identifier": name, "password": "new"}
            if platform == "bluesky"
            else {"accessToken": "new", "username": name}
        )
        code, added, _ = await socialsyncer("accounts", "add", platform, *where, stdin=json.dumps(arguments))
        assert (code, json.loads(added)["accountId"]) == (0, known["accountId"])
        _, again, _ = await socialsyncer("accounts", "list", *where)
        assert len(again.splitlines()) == len(listed.splitlines())
        body = {
            "content": f"Reconnected to {platform}",
            "platforms": [{"platform": platform, "accountId": known["accountId"]}],
            "publishNow": True,
        }
        post = await client.post(
            f"{first.dev['apiUrl']}/v1/posts", json=body, headers={"Authorization": f"Bearer {first.dev['apiKey']}"}
        )
    assert post.json()["status"] == "published", post.text


async def test_impossible_options_are_one_sentence(stacks: tuple[DevStack, DevStack], tmp_path: Path) -> None:
    first, second = stacks
    third = DevStack(tmp_path)
    third.ports["ui"] = first.ports["ui"]
    same, taken = await asyncio.gather(socialsyncer("dev", *second.options), socialsyncer("dev", *third.options))
    assert (same[0], taken[0]) == (1, 1)
    assert f"A stack already runs in {second.data}" in same[2]
    assert taken[2] == f"Error: Port {first.ports['ui']} is in use: choose another one with --ui-port PORT.\n"
    await second.ready(1)


async def test_every_killed_part_is_restarted(stacks: tuple[DevStack, DevStack]) -> None:
    first, second = stacks
    before, untouched = first.pids, second.pids
    assert set(before) == PARTS
    for pid in before.values():
        kill(pid)
    began = time.monotonic()
    await until(lambda: first.terminal.count(" is back after ") >= len(PARTS), BACK_WITHIN)
    await first.ready(BACK_WITHIN - (time.monotonic() - began))
    assert first.pids.keys() == PARTS
    assert not set(first.pids.values()) & set(before.values())
    assert first.terminal.count("starting it again") >= len(PARTS)
    assert (await first.publish("After the storm", publishNow=True))["status"] == "published"
    code, output, _ = await socialsyncer("doctor", "--data-dir", first.data)
    assert (code, output.partition(".")[0]) == (0, "All agree"), output
    assert second.pids == untouched


def in_order(dev: dict[str, Any]) -> dict[str, Any]:
    return {**dev, "accounts": sorted(dev["accounts"], key=itemgetter("accountId"))}


async def test_restarted_stack_publishes_posts_that_came_due(
    stacks: tuple[DevStack, DevStack],
) -> None:
    first, second = stacks
    before, family, elsewhere = first.dev, first.family(), second.dev["sandboxUrl"]
    due = datetime.now(UTC) + timedelta(seconds=3)
    text = f"Due at {due}"
    assert (await first.publish(text, scheduledFor=due.isoformat()))["status"] == "scheduled"
    await first.ended(signal.SIGKILL)
    await until(lambda: not any(map(alive, family)), 10)
    (first.data / "postgres" / "postmaster.pid").write_text(
        f"{1}\n{first.data}/postgres\n0\n5432\n\n127.0.0.1\n\nready\n"
    )
    (first.data / "dev.json").unlink()
    await asyncio.sleep(max(0, (due - datetime.now(UTC)).total_seconds()))
    await first.start("--sandbox-url", elsewhere)
    # An account that was reconnected in the meantime is listed as the youngest.
    assert in_order(first.dev) == in_order({**before, "sandboxUrl": elsewhere})
    assert "sandbox" not in first.pids
    assert len(await first.published(text)) == 1
    assert await first.public(EXAMPLE) == []


async def test_ctrl_c_leaves_nothing_running(stacks: tuple[DevStack, DevStack]) -> None:
    families = [pid for stack in stacks for pid in stack.family()]
    assert len(families) > 10
    codes = await asyncio.gather(stacks[0].ended(signal.SIGINT), stacks[1].ended(signal.SIGTERM))
    assert set(codes) == {0}
    assert not [pid for pid in families if alive(pid)]
    for stack in stacks:
        assert stack.terminal.endswith("Everything is stopped.\n")
        assert not (stack.data / "dev.json").exists()
        assert stack.pids == {}
