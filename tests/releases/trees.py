"""The code of a release and the present code, each as processes of its own on one database and one Temporal."""

import asyncio
import gzip
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from cli.stack.ports import free_port
from store.roles import Component
from tests.databases import ROLES, url_as
from tests.stack import Stack

RELEASES = Path(__file__).parent
ROOT = RELEASES.parents[1]


@dataclass(frozen=True, slots=True)
class Release:
    """A release, read from its folder. `uv run python -m tests.releases.record VERSION` writes it."""

    path: Path

    @property
    def version(self) -> str:
        """Return its version."""
        return self.path.name

    def read(self, name: str) -> Any:
        """Return a JSON file of it."""
        return json.loads(self.path.joinpath(name).read_text())

    @property
    def schema(self) -> str:
        """Return the statements that make its schema, as pg_dump writes them."""
        return self.path.joinpath("schema.sql").read_text()

    @property
    def rows(self) -> str:
        """Return the statements that insert what the product had stored."""
        return gzip.decompress(self.path.joinpath("rows.sql.gz").read_bytes()).decode()


def releases() -> list[Release]:
    """Return all releases, oldest first."""
    folders = [path for path in RELEASES.iterdir() if path.is_dir() and path.name[0].isdigit()]
    return [Release(path) for path in sorted(folders, key=lambda path: [int(part) for part in path.name.split(".")])]


_STARTS_WITHIN_S = 180
_STOPS_WITHIN_S = 90
_COMMANDS = {Component.API: ["cli.main", "api"], Component.WORKER: ["worker"]}


@dataclass(frozen=True, slots=True)
class Tree:
    """A checked-out version of the code."""

    name: str
    path: Path


def released_tree(version: str, folder: Path, clone: Path = ROOT) -> Tree:
    """Unpack the code of a release into a folder: of its tag, or without one of the commit that recorded it.

    A shallow clone may have neither. Then it is that of the last commit, and the tree's name says so.
    """
    tag = f"v{version}"
    if _git(clone, "rev-parse", "--quiet", "--verify", tag):
        revision, name = tag, tag
    elif recorded := _recording_commit(version, clone):
        revision, name = recorded, f"{recorded[:8]}, which recorded {version} (there is no tag {tag})"
    else:
        revision, name = "HEAD", f"the last commit (this clone has no code of {version})"
    archive = subprocess.run(["git", "archive", revision], cwd=clone, capture_output=True, check=True).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(folder, filter="data")
    return Tree(name, folder)


def extended_tree(folder: Path) -> Tree:
    """Make a tree of the present code whose migrations a test can extend: everything is a link, but for `store`."""
    folder.mkdir()
    for path in ROOT.iterdir():
        if path.name != "store" and not path.name.startswith("."):
            folder.joinpath(path.name).symlink_to(path)
    shutil.copytree(ROOT / "store", folder / "store", ignore=shutil.ignore_patterns("__pycache__"))
    return Tree("the present code with further migrations", folder)


def _recording_commit(version: str, clone: Path) -> str | None:
    """Return the commit that last changed a release's folder; None if the clone may lack it."""
    commit = _git(clone, "rev-list", "-1", "HEAD", "--", f"tests/releases/{version}")
    # Where the history of a shallow clone begins, a commit seems to have added every file.
    has_parent = bool(commit and _git(clone, "rev-parse", "--quiet", "--verify", f"{commit}^"))
    return commit if has_parent or _git(clone, "rev-parse", "--is-shallow-repository") == "false" else None


def _git(clone: Path, *arguments: str) -> str | None:
    """Return what a command of git's prints; None if it fails, or prints nothing."""
    ended = subprocess.run(["git", *arguments], cwd=clone, capture_output=True, check=False, text=True)
    return ended.stdout.strip() or None if ended.returncode == 0 else None


@dataclass(slots=True)
class Part:
    """An API or a worker, as a process of one tree."""

    tree: Tree
    component: Component
    process: asyncio.subprocess.Process
    port: int

    @property
    def url(self) -> str:
        """Return the address of its HTTP endpoints."""
        return f"http://127.0.0.1:{self.port}"

    async def stop(self) -> None:
        """End it as a process manager does, and wait for its end."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(_STOPS_WITHIN_S):
            await self.process.wait()

    def kill(self) -> None:
        """End it immediately, if it still runs."""
        if self.process.returncode is None:
            self.process.kill()


class Fleet:
    """Processes of several trees on the services of one stack."""

    def __init__(self, stack: Stack, log: Path, pooled: Callable[[str], str] | None = None) -> None:
        """`pooled` returns the URL that leads to the same database through a pooler, if processes are to use one."""
        self._stack = stack
        self._log = log
        self._pooled = pooled
        self.parts: list[Part] = []

    async def migrate(self, tree: Tree) -> str:
        """Run a tree's `socialsyncer migrate` as the owner, and return what it says."""
        roles = {
            f"SOCIALSYNCER_{role.component.upper()}_ROLE{suffix}": value or ""
            for role in ROLES
            for suffix, value in (("", role.name), ("_PASSWORD", role.password))
        }
        env = self._environment(tree, self._stack.database_url) | roles
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "cli.main", "migrate"),
            env=env,
            cwd=tree.path,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        out, err = await process.communicate()
        assert process.returncode == 0, err.decode()
        return out.decode()

    async def start(self, tree: Tree, component: Component) -> Part:
        """Start a process, and wait until it is ready."""
        port = free_port()
        env = self._environment(tree, url_as(self._stack.database_url, component))
        if self._pooled is not None:
            env |= {
                "SOCIALSYNCER_DATABASE_DIRECT_URL": env["SOCIALSYNCER_DATABASE_URL"],
                "SOCIALSYNCER_DATABASE_URL": self._pooled(env["SOCIALSYNCER_DATABASE_URL"]),
                "SOCIALSYNCER_DATABASE_POOLER": "transaction",
            }
        env |= {"SOCIALSYNCER_API_PORT": str(port), "SOCIALSYNCER_WORKER_HEALTH_PORT": str(port)}
        with self._log.open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", *_COMMANDS[component]), env=env, cwd=tree.path, stdout=log, stderr=log
            )
        part = Part(tree, component, process, port)
        self.parts.append(part)
        deadline = time.monotonic() + _STARTS_WITHIN_S
        async with httpx.AsyncClient(trust_env=False) as client:
            while not await _is_up(client, part):
                assert process.returncode is None, self._log.read_text()[-2000:]
                assert time.monotonic() < deadline, f"the {component} of {tree.name} was not ready in time"
                await asyncio.sleep(0.2)
        return part

    async def close(self) -> None:
        """End all processes."""
        for part in self.parts:
            part.kill()
            await part.process.wait()

    def _environment(self, tree: Tree, database_url: str) -> dict[str, str]:
        settings = self._stack.settings
        return {
            **os.environ,
            "PYTHONPATH": str(tree.path),
            "NO_PROXY": "127.0.0.1",
            "SOCIALSYNCER_DATABASE_URL": database_url.replace("+asyncpg", ""),
            "SOCIALSYNCER_ENCRYPTION_KEYS": settings.encryption_keys[0].get_secret_value(),
            "SOCIALSYNCER_SANDBOX_URL": self._stack.sandbox_url,
            "SOCIALSYNCER_PRIVATE_MEDIA_HOSTS": ",".join(settings.private_media_hosts),
            "SOCIALSYNCER_PLATFORM_RATE_LIMITS": "false",
            "TEMPORAL_ADDRESS": self._stack.client.service_client.config.target_host,
        }


async def _is_up(client: httpx.AsyncClient, part: Part) -> bool:
    try:
        return (await client.get(f"{part.url}/healthz")).is_success
    except httpx.HTTPError:
        return False
