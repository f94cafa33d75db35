"""Warnings of checks before a post is due, as clients read them."""

import asyncio
from datetime import UTC, datetime, timedelta

from tests.api.conftest import Client
from tests.reconcile.test_preflight import SOON, check, refuse
from tests.stack import Stack


async def test_clients_read_warnings_and_the_history(stack: Stack, api: Client) -> None:
    account = await stack.connect("twitter")
    body = {"content": "warned of over HTTP", "platforms": [{"platform": "twitter", "accountId": account.id}]}
    due = datetime.now(UTC) + SOON
    post = (await api.send_post({**body, "scheduledFor": due.isoformat(timespec="seconds")})).json()
    assert "warnings" not in post
    async with asyncio.timeout(60):
        # The API still locks the row to record the delivery, and a check leaves out locked rows.
        while not (await stack.read(post["id"])).is_delivered:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.02)
    await refuse(stack, account)
    await check(stack, after=timedelta(hours=2, seconds=1))
    path = f"/v1/posts/{post['id']}"
    (warning,) = (await api.get(path)).json()["warnings"]
    assert (warning["code"], warning["accountId"]) == ("account_refused", account.id)
    (listed,) = [entry for entry in (await api.get("/v1/posts")).json()["posts"] if entry["id"] == post["id"]]
    assert listed["warnings"] == [warning]

    await stack.reconnect(account)
    await check(stack, after=timedelta(hours=2, minutes=2))
    assert "warnings" not in (await api.get(path)).json()
    lines = (await api.get(f"{path}/history")).json()["events"]
    assert [(line["action"], line.get("accountId")) for line in lines] == [
        ("created", None),
        ("warned", account.id),
        ("warning_cleared", account.id),
    ]
    assert lines[1]["summary"].startswith("Checked ahead of its time. X does not accept this connection.")
    assert (
        lines[2]["summary"]
        == f"Checked ahead of its time. The cause of the last warning about X account {account.id} is gone."
    )
    await api.delete(path)
