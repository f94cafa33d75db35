"""Workers and APIs as separate processes, stopped as a deploy stops them."""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from cli.stack.ports import free_port
from store.roles import Component
from tests.cli.parts import contents, until
from tests.databases import url_as
from tests.stack import Stack
from worker import STOP_MARGIN_S

_STARTS_WITHIN = 60


@dataclass
class WorkerProcess:
    """A running `python worker.py`."""

    process: subprocess.Popen[bytes]
    log: Path

    def ask_to_stop(self, number: signal.Signals = signal.SIGTERM) -> float:
        """Send the signal and return the time."""
        self.process.send_signal(number)
        return time.monotonic()

    async def ended(self, seconds: float = 60) -> int:
        """Wait for the exit code."""
        await until(lambda: self.process.poll() is not None, seconds)
        return self.process.returncode

    @property
    def output(self) -> str:
        return contents(self.log)


@asynccontextmanager
async def worker_process(
    stack: Stack,
    folder: Path,
    *,
    grace_s: float,
    platforms: str,
    stop_margin_s: float = STOP_MARGIN_S,
    settings: Mapping[str, str] | None = None,
) -> AsyncIterator[WorkerProcess]:
    """Run a worker until the block ends, unless it is stopped before."""
    log = folder / f"worker-{secrets.token_hex(4)}.log"
    ours = stack.settings
    environment = {
        **os.environ,
        "SOCIALSYNCER_DATABASE_URL": url_as(stack.database_url, Component.WORKER),
        "SOCIALSYNCER_ENCRYPTION_KEYS": ours.encryption_keys[0].get_secret_value(),
        "SOCIALSYNCER_SANDBOX_URL": stack.sandbox_url,
        "SOCIALSYNCER_PRIVATE_MEDIA_HOSTS": ",".join(ours.private_media_hosts),
        "SOCIALSYNCER_WORKER_GRACE_S": str(grace_s),
        "SOCIALSYNCER_PLATFORM_RATE_LIMITS": str(ours.platform_rate_limits).lower(),
        "TEMPORAL_ADDRESS": stack.client.service_client.config.target_host,
        "TEMPORAL_CONFIG_FILE": os.devnull,
        "NO_PROXY": "127.0.0.1,localhost",
        **(settings or {}),
    }
    program = f"import worker; worker.STOP_MARGIN_S = {stop_margin_s}; worker.main()"
    command = [sys.executable, "-P", "-c", program, "--platforms", platforms]
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment, cwd=folder)  # noqa: ASYNC220
    started = WorkerProcess(process, log)
    try:
        await until(lambda: "worker.started" in started.output or process.poll() is not None, _STARTS_WITHIN)
        assert process.poll() is None, started.output
        yield started
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                await asyncio.to_thread(process.wait, 30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(5)


@asynccontextmanager
async def api_processes(
    stack: Stack, folder: Path, number: int, process_ids: list[int] | None = None, /, **settings: str
) -> AsyncIterator[list[str]]:
    """Run API processes of the running product until the block ends; yields their addresses.

    `process_ids`: a list to which their ids are added.
    """
    async with AsyncExitStack() as running:
        ports = [free_port() for _ in range(number)]
        for port in ports:
            process_id = await running.enter_async_context(_api_process(stack, folder, port, settings))
            if process_ids is not None:
                process_ids.append(process_id)
        urls = [f"http://127.0.0.1:{port}" for port in ports]
        async with httpx.AsyncClient(trust_env=False) as client, asyncio.timeout(_STARTS_WITHIN):
            for url in urls:
                while not await _answers(client, url):  # noqa: ASYNC110 there is no event
                    await asyncio.sleep(0.1)
        yield urls


@asynccontextmanager
async def _api_process(stack: Stack, folder: Path, port: int, settings: Mapping[str, str]) -> AsyncIterator[int]:
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("SOCIALSYNCER_")},
        "SOCIALSYNCER_DATABASE_URL": url_as(stack.database_url, Component.API).replace("+asyncpg", ""),
        "SOCIALSYNCER_DATABASE_CONNECTIONS": "10",
        "TEMPORAL_ADDRESS": stack.client.service_client.config.target_host,
        "TEMPORAL_CONFIG_FILE": os.devnull,
        **settings,
    }
    command = [sys.executable, "-P", "-m", "cli.main", "api", "--port", str(port)]
    with (folder / f"api-{port}.log").open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, env=environment, cwd=folder)  # noqa: ASYNC220
    try:
        yield process.pid
    finally:
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, 30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(5)


async def _answers(client: httpx.AsyncClient, url: str) -> bool:
    try:
        return (await client.get(f"{url}/healthz")).is_success
    except httpx.TransportError:
        return False
