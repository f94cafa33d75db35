"""Posts in every state, made by the running product, and how each of them must end after an upgrade."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from api.dependencies import Dependencies
from domain.schedule import rfc3339
from platforms.registry import platforms
from reconcile.recovery import Recovery
from runtime import worker
from runtime.parts import open_parts
from tests.api.conftest import PUBLIC_URL, Client, make_client
from tests.api.connect.consents import begin, connected
from tests.serving import app_over
from tests.stack import Stack
from tests.workflows.scenarios import PICTURE, REFUSAL
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


LOST = {"status": 503, "hold": 60}
"""Refusals of look-ups by which a lost answer stays lost until the rows are copied."""


@dataclass(frozen=True, slots=True)
class KeptPost:
    """A post of a release: its state when the rows were copied, and how it ends after the upgrade."""

    id: str
    text: str
    accounts: list[str]
    status: str
    ends: str
    public: int
    """The number of its posts that are public in the end."""
    after: str = ""
    """What a person does before it ends: `reconnect` or `retry`."""


async def fill(product: Product) -> dict[str, Any]:
    """Make all posts and connections. Returns what the tests of upgrades must know."""
    stack = product.stack
    posts: list[KeptPost] = []
    stack.accounts["refused"] = await stack.revoked("twitter")
    for name in ("failing", "late", "lost", "slow", "busy", "edited"):
        stack.accounts[name] = await stack.connect("twitter", premium=name == "edited")
    stack.accounts["busy_instagram"] = await stack.connect("instagram")

    async def add(
        text: str, *accounts: str, status: str, ends: str, public: int = 1, after: str = "", **more: Any
    ) -> str:
        post = await product.create(text, *accounts, **more)
        await product.reaches(post["id"], status)
        posts.append(KeptPost(post["id"], text, list(accounts), status, ends, public, after))
        return str(post["id"])

    now: dict[str, Any] = {"publishNow": True}
    await add("published", "plain", status="published", ends="published", public=1, **now)
    await add("a draft", "plain", status="draft", ends="draft", public=0)
    edited = await add("before its edit", "edited", status="published", ends="published", public=1, **now)
    response = await product.api.post(f"/v1/posts/{edited}/edit", json={"content": "after its edit"})
    assert response.is_success, response.text
    doomed = await product.create("deleted", "plain")
    assert (await product.api.delete(f"/v1/posts/{doomed['id']}")).is_success
    await add("held", "refused", status="held", ends="published", public=1, after="reconnect", **now)
    await _fault(product, "failing", "reject", "publish", status=400)
    await add("failed", "failing", status="failed", ends="published", public=1, after="retry", **now)
    await stack.fault("instagram", "reject", "publish", accountId=stack.accounts["instagram"].id, **REFUSAL)
    await add(
        *("partial", "plain", "instagram"),
        status="partial",
        ends="published",
        public=2,
        after="retry",
        mediaItems=_pictures(),
        **now,
    )
    far = datetime.now(UTC) + timedelta(days=300)
    wall: dict[str, Any] = {"scheduledFor": f"{far:%Y-%m-%dT09:00:00}", "timezone": "America/New_York", "tags": ["far"]}
    await add("in a year", "plain", status="scheduled", ends="scheduled", public=0, **wall)
    await _connect(product)
    await _in_flight(product, add)
    for post in posts:
        # All at the same time: what moves on by itself has not moved yet.
        await product.reaches(post.id, post.status, within_s=0)
    return {
        "posts": [asdict(post) for post in posts],
        "accounts": {name: account.id for name, account in stack.accounts.items()},
    }


async def _in_flight(product: Product, add: Any) -> None:
    """Make the posts that continue by themselves, last of all."""
    stack = product.stack
    now: dict[str, Any] = {"publishNow": True}
    soon: dict[str, Any] = {"scheduledFor": rfc3339(datetime.now(UTC) + timedelta(seconds=90))}
    await add("soon", "plain", status="scheduled", ends="published", public=1, **soon)
    pictures: dict[str, Any] = {
        "mediaItems": _pictures(),
        "scheduledFor": rfc3339(datetime.now(UTC) + timedelta(seconds=75)),
    }
    prepared = await add("prepared", "instagram", status="scheduled", ends="published", public=1, **pictures)

    async def is_prepared() -> bool:
        return any(target.handles for target in (await stack.read(prepared)).targets)

    assert await until(is_prepared, 60), "the file was not prepared ahead"
    await _fault(product, "busy", "rate_limited", "publish", seconds=300)
    await add("refused for now", "busy", status="publishing", ends="published", public=1, **now)
    await _fault(product, "lost", "accept_then_drop", "publish")
    await _fault(product, "lost", "reject", "confirm", **LOST)
    await add("with a lost answer", "lost", status="publishing", ends="published", public=1, **now)
    await _fault(product, "slow", "accept_then_delay", "publish", seconds=60)
    await add("sent and not answered", "slow", status="publishing", ends="published", public=1, **now)
    await _fault(product, "late", "accept_late", "publish", seconds=60)
    await add("sent and not yet taken", "late", status="publishing", ends="published", public=1, **now)


async def _connect(product: Product) -> None:
    """Connect an account whose tokens are renewed, and leave another connection unfinished."""
    await connected(product.api, product.stack, "twitter")
    await begin(product.api, "linkedin")


async def _fault(product: Product, account: str, fault: str, operation: str, **more: Any) -> None:
    await product.stack.fault("twitter", fault, operation, accountId=product.stack.accounts[account].id, **more)


def _pictures() -> list[dict[str, str]]:
    return [{"type": "image", "url": url} for url in PICTURE]
