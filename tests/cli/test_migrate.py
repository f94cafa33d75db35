"""`socialsyncer migrate` and the processes after it, as processes of their own."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import create_async_engine
from temporalio.testing import WorkflowEnvironment

from cli.stack.ports import free_port
from store.schema.revisions import code_version, revisions
from tests.databases import empty_database, new_database

# Each test starts one to three processes of the product, which takes a second of a processor each.
pytestmark = pytest.mark.thorough

ROOT = Path(__file__).parents[2]
COMMANDS = {"api": ["-P", "-m", "cli.main", "api"], "worker": ["-P", "-m", "worker"]}
RUNS = 25
"""A runtime of Temporal's SDK that outlived the interpreter aborted one of some twelve runs beside other load."""


def environment(database_url: str, temporal: WorkflowEnvironment) -> dict[str, str]:
    return {
        **os.environ,
        "SOCIALSYNCER_DATABASE_URL": database_url.replace("+asyncpg", ""),
        "SOCIALSYNCER_API_PORT": str(free_port()),
        "SOCIALSYNCER_ENCRYPTION_KEYS": "A" * 43 + "=",
        "TEMPORAL_ADDRESS": temporal.client.service_client.config.target_host,
    }


async def ended(env: dict[str, str], *arguments: str) -> tuple[int | None, str, str]:
    """Run a process of the product to its end."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env=env, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    out, err = await process.communicate()
    return process.returncode, out.decode(), err.decode()


@asynccontextmanager
async def first_line(env: dict[str, str], *arguments: str) -> AsyncIterator[dict[str, Any]]:
    """Run a process, and yield the first line of its log."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, *arguments, env=env, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    assert process.stderr
    try:
        yield json.loads(await process.stderr.readline())
    finally:
        process.kill()
        await process.communicate()


@pytest.mark.timeout(600)
async def test_migrate_ends_with_the_status_of_its_work(postgres_url: str, temporal: WorkflowEnvironment) -> None:
    env = environment(await new_database(postgres_url), temporal)
    load = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(3)]  # noqa: ASYNC220 it only computes
    try:
        statuses = [(await ended(env, "-P", "-m", "cli.main", "migrate"))[0] for _ in range(RUNS)]
    finally:
        for process in load:
            process.kill()
            process.wait()
    assert statuses == [0] * RUNS


async def test_migrate_says_what_it_has_done(postgres_url: str, free_namespace: WorkflowEnvironment) -> None:
    database_url = await empty_database(postgres_url)
    env = environment(database_url, free_namespace)
    status, out, err = await ended(env, "-P", "-m", "cli.main", "migrate")
    applied = ", ".join(revision.name for revision in revisions())
    assert (status, out.splitlines()[0]) == (0, f"The database is up to date ({applied} applied)."), err
    engine = create_async_engine(database_url)
    async with engine.begin() as connection:
        await connection.execute(text("ALTER TABLE posts ADD COLUMN mine int"))
    await engine.dispose()
    status, out, err = await ended(env, "-P", "-m", "cli.main", "migrate")
    assert (status, out) == (1, "")
    assert "It was changed by hand: posts. Undo that" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("part", COMMANDS)
async def test_a_process_refuses_a_schema_that_is_too_old(
    postgres_url: str, temporal: WorkflowEnvironment, part: str
) -> None:
    env = environment(await empty_database(postgres_url), temporal)
    status, _, err = await ended(env, *COMMANDS[part])
    assert status == 1, err
    assert "Error: The database has no schema of this service. Run `socialsyncer migrate`" in err
    assert "Traceback" not in err


@pytest.mark.parametrize("part", COMMANDS)
async def test_the_first_line_of_a_log_names_the_versions(
    postgres_url: str, temporal: WorkflowEnvironment, part: str
) -> None:
    env = environment(await new_database(postgres_url), temporal)
    async with first_line(env, *COMMANDS[part]) as line:
        expected = {"event": "process.starts", "part": part, "version": code_version()}
        assert line | expected == line
        assert line["schema"] == revisions()[-1].name


@pytest.mark.parametrize("part", COMMANDS)
async def test_a_process_starts_without_a_database(temporal: WorkflowEnvironment, part: str) -> None:
    env = environment(f"postgresql://nobody@127.0.0.1:{free_port()}/none", temporal)
    async with first_line(env, *COMMANDS[part]) as line:
        assert (line["event"], line["schema"]) == ("process.starts", None)
