import asyncio
import contextlib
import signal
import sys
from pathlib import Path

import httpx

from sandbox.journal import FILE_NAME
from tests.sandbox.conftest import ACCOUNTS, IG_USER, X_USER, Sandbox, sandbox_with_accounts

SERVE = """
import sys
from pathlib import Path
from sandbox.server import run
run("127.0.0.1", int(sys.argv[1]), Path(sys.argv[2]))
"""


async def test_a_restart_forgets_nothing(tmp_path: Path) -> None:
    async with sandbox_with_accounts(tmp_path) as sandbox:
        deleted = await sandbox.tweet("mistake")
        await sandbox.x.delete(f"/2/tweets/{deleted}")
        first = await sandbox.tweet("frist")
        await sandbox.tweet("first", edit_options={"previous_post_id": first})
        container = await sandbox.container(image_url="https://example.com/a.jpg", caption="hello")
        medium = await sandbox.publish(container)
        waiting = await sandbox.container(image_url="https://example.com/b.jpg")
        before = await sandbox.posts()
    async with sandbox_with_accounts(tmp_path) as sandbox:
        assert await sandbox.posts() == before
        timeline = (await sandbox.x.get(f"/2/users/{X_USER}/tweets")).json()["data"]
        assert [post["text"] for post in timeline] == ["first"]
        assert (await sandbox.x.post("/2/tweets", json={"text": "first"})).status_code == 403
        status = await sandbox.ig.get(f"/v25.0/{container}", params={"fields": "status_code"})
        assert status.json()["status_code"] == "PUBLISHED"
        listed = (await sandbox.ig.get(f"/v25.0/{IG_USER}/media")).json()["data"]
        assert listed == [{"id": medium}]
        await sandbox.publish(waiting)


async def test_renewed_tokens_survive_a_restart(tmp_path: Path) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": "x-refresh"}
    async with sandbox_with_accounts(tmp_path) as sandbox:
        token = (await sandbox.x.post("/2/oauth2/token", data=form)).json()["access_token"]
    async with sandbox_with_accounts(tmp_path) as sandbox:
        answer = await sandbox.x.get("/2/users/me", headers={"authorization": f"Bearer {token}"})
        assert answer.status_code == 200
        assert (await sandbox.x.post("/2/oauth2/token", data=form)).json()["error"] == "invalid_request"


async def test_a_torn_last_line_is_dropped_and_does_not_spoil_the_next(tmp_path: Path) -> None:
    async with sandbox_with_accounts(tmp_path) as sandbox:
        await sandbox.tweet("one")
        await sandbox.tweet("two")
    journal = tmp_path / FILE_NAME
    content = journal.read_bytes()
    journal.write_bytes(content[: content.rindex(b"two") + 1])
    async with sandbox_with_accounts(tmp_path) as sandbox:
        assert [post["text"] for post in await sandbox.posts()] == ["one"]
        await sandbox.tweet("three")
    async with sandbox_with_accounts(tmp_path) as sandbox:
        assert [post["text"] for post in await sandbox.posts()] == ["three", "one"]


async def test_killing_the_process_loses_nothing_that_was_answered(tmp_path: Path, unused_tcp_port: int) -> None:
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", SERVE, str(unused_tcp_port), str(tmp_path))
    url = f"http://127.0.0.1:{unused_tcp_port}"
    try:
        async with httpx.AsyncClient(base_url=url) as client:
            await _answers(client)
            await client.post("/_/accounts", json={"accounts": ACCOUNTS})
        sandbox = Sandbox(url)
        ids = [await sandbox.tweet(f"post {number}") for number in range(20)]
        process.send_signal(signal.SIGKILL)
        await sandbox.close()
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    async with sandbox_with_accounts(tmp_path) as sandbox:
        assert [post["platformPostId"] for post in reversed(await sandbox.posts())] == ids


async def _answers(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(60):
        while True:
            with contextlib.suppress(httpx.TransportError):
                assert (await client.get("/_/health")).status_code == 200
                return
            await asyncio.sleep(0.05)
