"""The running product for recordings and upgrades: its API, its worker and its sandbox on one database."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from api.dependencies import Dependencies
from platforms.registry import platforms
from reconcile.recovery import Recovery
from runtime import worker
from runtime.parts import open_parts
from tests.api.conftest import PUBLIC_URL, Client, make_client
from tests.serving import app_over
from tests.stack import Stack
from workflows.client.runs import Runs

_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Product:
    """A stack with its worker, and a client of its API."""

    stack: Stack
    api: Client

    async def create(self, text: str, *accounts: str, **more: Any) -> dict[str, Any]:
        """Create a post; `accounts` are names of the stack's accounts."""
        targets = [self.stack.accounts[name] for name in accounts]
        body = {
            "content": text,
            "platforms": [{"platform": account.platform, "accountId": account.id} for account in targets],
            **more,
        }
        headers = {"Prefer": "wait=0", "Idempotency-Key": f"key of {text}"}
        response = await self.api.post("/v1/posts", json=body, headers=headers)
        assert response.is_success, response.text
        answer: dict[str, Any] = response.json()
        return answer

    async def read(self, post_id: str) -> dict[str, Any]:
        """Return a post as the API shows it."""
        answer: dict[str, Any] = (await self.api.get(f"/v1/posts/{post_id}")).json()
        return answer

    async def reaches(self, post_id: str, status: str, within_s: float = 60) -> dict[str, Any]:
        """Wait until a post, or one of its targets, has a status, and return it."""
        post: dict[str, Any] = {}

        async def has_status() -> bool:
            nonlocal post
            post = await self.read(post_id)
            return status in {post["status"], *(target["status"] for target in post["platforms"])}

        assert await until(has_status, within_s), f"{status} was not reached: {post}"
        return post

    async def recover(self) -> int:
        """Start workflows that a new Temporal does not have, as the recovery does."""
        recovery = Recovery(self.stack.worker_database, self.stack.workflows, Runs(self.stack.client))
        return await recovery.round(datetime(1970, 1, 1, tzinfo=UTC), datetime.now(UTC) + timedelta(days=4000))


async def until(holds: Callable[[], Awaitable[bool]], within_s: float) -> bool:
    """Wait until a condition holds; return whether it does in time."""
    deadline = time.monotonic() + within_s
    while not await holds():
        if time.monotonic() > deadline:
            return False
        await asyncio.sleep(_POLL_S)
    return True


@asynccontextmanager
async def running_product(stack: Stack) -> AsyncIterator[Product]:
    """Run the API and a worker with all its background tasks on a stack."""
    deps = Dependencies.assemble(stack.api_database, stack.workflows, stack.outcomes, public_url=PUBLIC_URL)
    async with (
        app_over(deps) as app,
        make_client(app, stack.api_key) as api,
        open_parts(stack.settings, stack.worker_database) as parts,
        worker.running_workers(stack.client, parts, worker.worker_group(stack.client, parts, platforms())),
    ):
        api.workspace_id = stack.workspace_id
        yield Product(stack, api)
