"""Posts in every state, made by the running product, and how each of them must end after an upgrade."""

from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from domain.schedule import rfc3339
from tests.api.connect.consents import begin, connected
from tests.releases.product import Product, until
from tests.workflows.scenarios import PICTURE, REFUSAL

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
