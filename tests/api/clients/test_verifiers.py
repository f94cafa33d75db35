"""Verifiers of other projects accept the requests that deliver events: of npm, and a program of Debian."""

import asyncio
import json
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from activities.webhook_requests import WebhookSender, write_body
from cli.stack.ports import free_port
from domain.webhooks import new_secret, sign
from platforms.http.addresses import AllowedHosts
from platforms.http.guard import GuardedTransport
from store.models import Event
from tests.api.clients.tools import installed_from_npm, run

pytestmark = pytest.mark.thorough
VERIFIERS = {"standardwebhooks": "1.1.1", "svix": "2.5.0"}
DATA = {"postId": "post_1", "platform": "twitter", "status": "published", "externalId": "Zürich"}
EVENT = Event(id="evt_1", type="post.published", at=datetime.now(UTC), data=DATA)
SCRIPT = """
const { Webhook } = require(process.argv[2]);
const { secret, headers, body } = JSON.parse(process.argv[3]);
new Webhook(secret).verify(body, headers);
console.log("verified");
"""


@pytest.mark.parametrize("package", VERIFIERS)
async def test_a_verifier_of_npm_accepts_a_request(package: str, tmp_path: Path) -> None:
    packages = await installed_from_npm(VERIFIERS)
    secret, body = new_secret(), write_body(EVENT)
    (tmp_path / "verify.cjs").write_text(SCRIPT)
    request: dict[str, Any] = {"secret": secret, "body": body.decode()}
    request["headers"] = sign([new_secret(), secret], "evt_1", datetime.now(UTC), body)
    node = shutil.which("node")
    assert node
    module = str(packages / "node_modules" / package)
    assert await run(tmp_path, node, "verify.cjs", module, json.dumps(request)) == "verified\n"
    request["secret"] = new_secret()
    with pytest.raises(AssertionError):
        await run(tmp_path, node, "verify.cjs", module, json.dumps(request))


async def test_the_contracts_signature_is_accepted_by_a_program_of_debian(tmp_path: Path) -> None:
    program = shutil.which("webhook")
    if program is None:
        pytest.skip("Debian's webhook is not installed")
    secret, port = new_secret(), free_port()
    header = {"source": "header", "name": "X-SocialSyncerAPI-Signature"}
    rule = {"match": {"type": "payload-hmac-sha256", "secret": secret, "parameter": header}}
    hook = {"id": "events", "execute-command": "/bin/true", "trigger-rule": rule}
    (tmp_path / "hooks.json").write_text(json.dumps([hook]))
    process = await asyncio.create_subprocess_exec(
        *(program, "-hooks", str(tmp_path / "hooks.json"), "-ip", "127.0.0.1", "-port", str(port)),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with GuardedTransport(AllowedHosts([f"127.0.0.1:{port}"])) as transport:
            sender = WebhookSender(transport)
            url = f"http://127.0.0.1:{port}/hooks/events"
            async with asyncio.timeout(60):
                while (await sender.send("ws_1", url, EVENT, [secret], {})).http_status is None:  # noqa: ASYNC110 no event
                    await asyncio.sleep(0.1)
            statuses = [(await sender.send("ws_1", url, EVENT, [s], {})).http_status for s in (secret, new_secret())]
            await sender.close()
        # It calls a signature that does not match an error of its own.
        assert statuses == [200, 500]
    finally:
        process.terminate()
        await process.wait()
