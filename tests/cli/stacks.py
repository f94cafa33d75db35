"""`socialsyncer dev` as separate processes, started and observed from outside."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import httpx
import psutil

from cli.stack.ports import free_port
from tests.cli.parts import alive, until

SOCIALSYNCER = [sys.executable, "-P", "-m", "cli.main"]
SECONDS_TO_START = 110


async def socialsyncer(*arguments: object, stdin: str = "") -> tuple[int, str, str]:
    """Run a command to its end; returns its exit code, stdout and stderr."""
    process = await asyncio.create_subprocess_exec(
        *SOCIALSYNCER,
        *map(str, arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, err = await process.communicate(stdin.encode())
    return process.returncode or 0, out.decode(), err.decode()


@dataclass
class DevStack:
    """A stack in `folder`, seen from outside."""

    folder: Path
    ports: dict[str, int] = field(
        default_factory=lambda: {name: free_port() for name in ("api", "temporal", "ui", "sandbox")}
    )
    process: subprocess.Popen[bytes] | None = None
    program: list[str] = field(default_factory=lambda: SOCIALSYNCER)

    @property
    def options(self) -> list[str]:
        """Return the options that choose every path and port."""
        ports = [word for name, port in self.ports.items() for word in (f"--{name}-port", str(port))]
        return ["--data-dir", str(self.folder / "data"), *ports]

    @property
    def data(self) -> Path:
        return self.folder / "data"

    @property
    def terminal(self) -> str:
        """Return what was printed on the terminal since the last start."""
        return (self.folder / "terminal").read_text()

    @property
    def dev(self) -> dict[str, Any]:
        """Return DIR/dev.json."""
        dev_file: dict[str, Any] = json.loads((self.data / "dev.json").read_text())
        return dev_file

    @property
    def pids(self) -> dict[str, int]:
        """Return the process ids of the parts."""
        run = json.loads((self.data / "run.json").read_text())
        return {name: record["pid"] for name, record in run.items()}

    async def start(self, *options: str) -> None:
        """Start the stack and wait until it reports that everything is ready."""
        with (self.folder / "terminal").open("wb") as terminal:
            self.process = subprocess.Popen(  # noqa: ASYNC220 it must outlive a test's event loop
                [*self.program, "dev", *self.options, *options], stdout=terminal, stderr=terminal, cwd=self.folder
            )
        process = self.process
        await until(lambda: (self.data / "dev.json").exists() or process.poll() is not None, SECONDS_TO_START)
        assert process.poll() is None, self.terminal

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Self]:
        """Run the stack without its example posts, and yield it."""
        try:
            await self.start("--no-example", "--verbose")
            yield self
        finally:
            self.destroy()

    async def ended(self, number: signal.Signals) -> int:
        """Send a signal and return the exit code."""
        process = self.process
        assert process is not None
        process.send_signal(number)
        await until(lambda: process.poll() is not None, 30)
        return process.returncode

    async def ready(self, seconds: float) -> None:
        """Wait until the API reports that it is ready; fails if it takes longer."""
        deadline = time.monotonic() + seconds
        async with httpx.AsyncClient(trust_env=False) as client:
            while True:
                try:
                    if (await client.get(f"{self.dev['apiUrl']}/statusz?strict=true")).is_success:
                        return
                except httpx.HTTPError:
                    pass
                assert time.monotonic() < deadline, self.terminal
                await asyncio.sleep(0.1)

    async def publish(self, text: str, **more: Any) -> dict[str, Any]:
        """Create a post on X and return the answer."""
        target = next(account for account in self.dev["accounts"] if account["platform"] == "twitter")
        body = {"content": text, "platforms": [{"platform": "twitter", "accountId": target["accountId"]}], **more}
        async with httpx.AsyncClient(trust_env=False, timeout=40) as client:
            response = await client.post(
                f"{self.dev['apiUrl']}/v1/posts", json=body, headers={"Authorization": f"Bearer {self.dev['apiKey']}"}
            )
        answer: dict[str, Any] = response.json()
        assert response.status_code == 201, answer
        return answer

    async def public(self, text: str) -> list[dict[str, Any]]:
        """Return what is public with this text in the stack's sandbox."""
        async with httpx.AsyncClient(trust_env=False) as client:
            posts = (await client.get(f"{self.dev['sandboxUrl']}/_/posts")).json()["posts"]
        return [post for post in posts if post["text"] == text]

    async def published(self, text: str, seconds: float = 60) -> list[dict[str, Any]]:
        """Wait until something with this text is public, and return all of it."""
        deadline = time.monotonic() + seconds
        posts = await self.public(text)
        while not posts and time.monotonic() < deadline:
            await asyncio.sleep(0.1)
            posts = await self.public(text)
        return posts

    def family(self) -> list[int]:
        """Return the ids of the stack's process and all its descendants."""
        assert self.process is not None
        return [self.process.pid, *(child.pid for child in psutil.Process(self.process.pid).children(recursive=True))]

    def destroy(self) -> None:
        """End what a failed test left running."""
        if self.process is not None and self.process.poll() is None:
            family = self.family()
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                for pid in filter(alive, family):
                    os.kill(pid, signal.SIGKILL)
                self.process.wait(5)
