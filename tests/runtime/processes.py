"""Workers as separate processes, stopped as a deploy stops them."""

import asyncio
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

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
