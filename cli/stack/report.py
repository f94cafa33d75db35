"""The messages of a stack on the terminal: its progress and its addresses."""

import asyncio
import json
import shlex
import time
from collections.abc import Awaitable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

from cli.data_dir import DevAccount, DevFile, Folder
from cli.list_views import format_links
from cli.terminal import say
from workflows.client.views import views

T = TypeVar("T")

_REMIND_EVERY = 5.0


def print_line(line: str = "", *, bold: bool = False) -> None:
    """Print one line. If the terminal is gone, the stack continues."""
    with suppress(OSError):
        say(line, bold=bold)


async def show_waiting(label: str, work: Awaitable[T]) -> T:
    """Return the work's result, and print what the stack waits for and how long it took."""
    began = time.monotonic()
    task = asyncio.ensure_future(work)
    try:
        while not (await asyncio.wait({task}, timeout=_REMIND_EVERY))[0]:
            print_line(f"still waiting for {label} ({time.monotonic() - began:.0f} s) …")
    finally:
        task.cancel()
    result = task.result()
    print_line(f"{label}: ready ({time.monotonic() - began:.1f} s)")
    return result


async def run_together(*work: Awaitable[object]) -> None:
    """Run all tasks concurrently; the first failure ends the others and is raised unchanged."""
    tasks = [asyncio.ensure_future(item) for item in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def answer(body: Any, *, verbose: bool) -> str:
    """Return the API's response to the example in readable form."""
    if verbose or "status" not in body:
        return f"The response to the example post:\n{json.dumps(body, indent=2, ensure_ascii=False)}"
    return f"The example post to {' and '.join(place['platform'] for place in body['platforms'])}: {body['status']}"


def overview(running: DevFile, folder: Folder, *, verbose: bool) -> str:
    """Return where to look and a request to paste, in 13 lines; `verbose`: also what operators want."""
    rows = {
        "Calendar": f"{running.api_url}/calendar  (it asks for the API key)",
        "Accounts": f"{running.api_url}/connect",
        "API": f"{running.api_url}/v1  (reference: {running.api_url}/docs)",
        "API key": running.api_key,
        "Sandbox": f"{running.sandbox_url}  (what was published)",
        "Web UI": f"{running.temporal_ui_url}  (the workflow of each post)",
    }
    if verbose:
        rows |= {
            "Database": running.database_url,
            "Temporal": f"{running.temporal_address}, namespace {running.temporal_namespace}",
            "Logs": f"{folder.logs}/",
            "Data": f"{folder.path}/  (dev.json says all this to programs)",
        }
    width = max(map(len, rows))
    lines = [f"  {name:<{width}}  {value}" for name, value in rows.items()]
    if verbose:
        lines += [
            "",
            f"Posts in the Web UI, as of now (later: socialsyncer views --data-dir {shlex.quote(str(folder.path))}):",
            "",
            *(f"  {line}" for line in _views(running)),
        ]
    more = "" if verbose else " --verbose prints more."
    return "\n".join(
        [*lines, "", "Publish a post:", _curl(running), f"Ctrl-C stops everything; the next start continues.{more}"]
    )


def _views(running: DevFile) -> list[str]:
    return format_links(list(views(datetime.now(UTC))), running.temporal_ui_url, running.temporal_namespace)


def _curl(running: DevFile) -> str:
    body = json.dumps(
        {"content": "My first post", "platforms": _one_target(running.accounts), "publishNow": True}, ensure_ascii=False
    )
    return (
        f"curl -X POST {running.api_url}/v1/posts \\\n"
        f"  -H 'Authorization: Bearer {running.api_key}' \\\n"
        "  -H 'Content-Type: application/json' \\\n"
        f"  -d '{body}'"
    )


def _one_target(accounts: Sequence[DevAccount]) -> list[dict[str, str]]:
    # This request needs only text, so the line stays short.
    account = next((account for account in accounts if account.platform == "twitter"), accounts[0])
    return [{"platform": account.platform, "accountId": account.account_id}]
