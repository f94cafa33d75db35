"""The receivers of docs/webhooks.md accept what a worker sends and refuse others; its numbers are those of the code."""

import asyncio
import os
import re
import shutil
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from activities.webhook_requests import WebhookSender, write_body
from cli.stack.ports import free_port
from domain.webhooks import (
    MOST_ENDPOINTS,
    MOST_WAITING,
    OFF_AFTER,
    OPENS_AFTER,
    SCHEDULE,
    new_secret,
    sign,
)
from platforms.http.addresses import AllowedHosts
from platforms.http.guard import GuardedTransport
from store.models import Event

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/webhooks.md").read_text()
DATA = {"postId": "post_1", "platform": "twitter", "status": "published", "externalId": "Zürich"}
EVENT = Event(id="evt_1", type="post.published", at=datetime.now(UTC), data=DATA)
LANGUAGES = {"python": (sys.executable, "py"), "js": (shutil.which("node"), "cjs")}


def block(language: str) -> str:
    match = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert match
    return match[1]


@asynccontextmanager
async def running_receiver(language: str, folder: Path, secret: str) -> AsyncIterator[str]:
    program, ending = LANGUAGES[language]
    if program is None:
        pytest.skip("Node.js is not installed")
    (folder / f"receiver.{ending}").write_text(block(language))
    port = free_port()
    environment = {**os.environ, "WEBHOOK_SECRET": secret, "PORT": str(port)}
    process = await asyncio.create_subprocess_exec(
        program,
        str(folder / f"receiver.{ending}"),
        env=environment,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(60):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    assert process.returncode is None
                    await asyncio.sleep(0.05)
                else:
                    writer.close()
                    await writer.wait_closed()
                    break
        yield f"http://127.0.0.1:{port}/socialsyncer"
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.parametrize("language", LANGUAGES)
async def test_a_receiver_of_the_page_verifies_what_a_worker_sends(language: str, tmp_path: Path) -> None:
    secret = new_secret()
    async with running_receiver(language, tmp_path, secret) as url:
        host = url.removeprefix("http://").partition("/")[0]
        async with GuardedTransport(AllowedHosts([host])) as transport:
            sender = WebhookSender(transport)
            for secrets, status in (([secret], 204), ([new_secret(), secret], 204), ([new_secret()], 401)):
                result = await sender.send("ws_1", url, EVENT, secrets, {})
                assert result.http_status == status
            await sender.close()
        async with httpx.AsyncClient() as http:
            body = write_body(EVENT)
            old = sign([secret], "evt_1", datetime(2020, 1, 1, tzinfo=UTC), body)
            assert (await http.post(url, content=body, headers=old)).status_code == 401
            assert (await http.post(url, content=body)).status_code == 401


async def test_the_command_of_the_page_makes_the_signature(tmp_path: Path) -> None:
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    secret, body = new_secret(), write_body(EVENT)
    headers = sign([secret], "evt_1", datetime.now(UTC), body)
    (tmp_path / "body").write_bytes(body)
    (command,) = re.findall(r"```sh\n(printf.*?)```", PAGE, re.DOTALL)
    names = {
        "WEBHOOK_SECRET": secret,
        "WEBHOOK_ID": headers["webhook-id"],
        "WEBHOOK_TIMESTAMP": headers["webhook-timestamp"],
    }
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", command, cwd=tmp_path, env={**os.environ, **names}, stdout=asyncio.subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert f"v1,{output.decode().strip()}" == headers["webhook-signature"]


def test_the_numbers_of_the_pages_are_those_of_the_code() -> None:
    limits = (ROOT / "docs/limits.md").read_text()
    assert [wait.total_seconds() for wait in SCHEDULE] == [0, 5, 300, 1800, *(h * 3600 for h in (2, 5, 10, 14, 20, 24))]
    assert "5 seconds, 5 minutes, 30 minutes, 2, 5, 10, 14, 20 and 24 hours" in PAGE
    assert f"has failed for {OFF_AFTER.days} days" in PAGE
    assert OPENS_AFTER == 5
    assert f"| webhooks | {MOST_ENDPOINTS} |" in limits
    assert f"| events that wait for one webhook | {MOST_WAITING:,} |" in limits
