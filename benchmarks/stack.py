"""Functions that run a development stack for a benchmark, in a folder and on ports of its own."""

import asyncio
import itertools
import json
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from cli.stack.ports import free_port


@asynccontextmanager
async def stack(environment: Mapping[str, str] | None = None) -> AsyncIterator[dict[str, Any]]:
    """Run a development stack; yield the content of its dev.json, and its folder as `dataDir`.

    All its processes get the `environment` in addition to their own.
    """
    with tempfile.TemporaryDirectory(prefix="socialsyncer-bench-") as folder:
        ports = {name: str(free_port()) for name in ("api", "temporal", "ui", "sandbox")}
        options = itertools.chain.from_iterable((f"--{name}-port", port) for name, port in ports.items())
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "cli.main", "dev", "--data-dir", folder, "--no-example", *options),
            stdout=asyncio.subprocess.DEVNULL,
            # A benchmark sends everything with one key, faster than any client.
            env={
                "SOCIALSYNCER_REQUESTS_PER_MINUTE": "0",
                "SOCIALSYNCER_POSTS_PER_MINUTE": "0",
                **os.environ,
                **(environment or {}),
            },
        )
        try:
            ready = Path(folder) / "dev.json"
            while not ready.exists():
                if process.returncode is not None:
                    raise SystemExit("the development stack did not start")
                await asyncio.sleep(0.2)
            yield {**json.loads(ready.read_text()), "dataDir": folder}
        finally:
            if process.returncode is None:
                os.kill(process.pid, signal.SIGTERM)
            await process.wait()


async def command(dev: dict[str, Any], *words: str, stdin: str = "", may_fail: bool = False) -> str:
    """Run a `socialsyncer` command on the stack and return what it prints."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "cli.main", *words, "--data-dir", dev["dataDir"]),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    output, _ = await process.communicate(stdin.encode())
    if process.returncode and not may_fail:
        raise SystemExit(f"socialsyncer {' '.join(words)} failed")
    return output.decode().strip()
