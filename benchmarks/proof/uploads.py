"""Posts with files of their own: the storage is away when they are due, and their worker is killed meanwhile."""

import asyncio
import secrets
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.proof.accounts import Accounts
from benchmarks.proof.platforms import IMAGE, PLATFORMS, api_name, body
from benchmarks.proof.posts import ProofError
from benchmarks.proof.product import Product
from benchmarks.proof.verdict import public_posts

_AWAY_S = 8.0
"""How long the storage is away before the worker is killed, and again after that."""
_SETTLED_WITHIN_S = 180.0
_STATUSES = "SELECT p.id, t.status, t.error_code FROM posts p JOIN targets t ON t.post_id = p.id WHERE p.id = ANY($1)"


async def storage_faults(product: Product, say: Callable[[str], None]) -> list[str]:
    """Publish a file on every platform while the storage is away; return what did not end right."""
    accounts, marks = Accounts(product.dev), {platform: f"upload-{secrets.token_hex(5)}" for platform in PLATFORMS}
    lent = dict(zip(PLATFORMS, await accounts.lend(PLATFORMS), strict=True))
    folder = Path(product.folder, "media")
    away = folder.with_name("media-away")
    await asyncio.to_thread(folder.rename, away)
    try:
        created = await asyncio.gather(
            *(_create(product, platform, lent[platform], marks[platform]) for platform in PLATFORMS)
        )
        posts = dict(zip(PLATFORMS, created, strict=True))
        await asyncio.sleep(_AWAY_S)
        had = product.kill("worker")
        await asyncio.sleep(_AWAY_S)
    finally:
        await asyncio.to_thread(away.rename, folder)
    took = await product.back(had)
    say(f"the storage was away for {2 * _AWAY_S:.0f} s, the worker back after {took:.1f} s")
    states = await _settled(product, list(posts.values()))
    shown = (await product.control("GET", "posts"))["posts"]
    return [
        f"uploads: {platform} is {states.get(posts[platform])} and public {count} times"
        for platform in PLATFORMS
        if (count := len(public_posts(marks[platform], shown))) != 1
        or states.get(posts[platform], ("",))[0] != "published"
    ]


async def _create(product: Product, platform: str, account_id: str, mark: str) -> str:
    traits = PLATFORMS[platform]
    media = traits.media or traits.upload or IMAGE
    new_post = body(platform, account_id, f"From the storage: {mark}") | {"publishNow": True}
    new_post["mediaItems"] = [media | {"url": product.uploads[media["type"]]}]
    answer = await product.api.post("/v1/posts", json=new_post, headers={"Prefer": "wait=0", "Idempotency-Key": mark})
    if answer.status_code != 201:
        raise ProofError(f"{api_name(platform)} takes no upload: {answer.text[:300]}")
    post_id: str = answer.json()["id"]
    return post_id


async def _settled(product: Product, post_ids: list[str]) -> dict[str, tuple[Any, ...]]:
    """Return the status and the error code of each post once all are published, or after some minutes."""
    deadline = time.monotonic() + _SETTLED_WITHIN_S
    while True:
        rows = await product.rows(_STATUSES, post_ids)
        states = {row["id"]: (row["status"], row["error_code"]) for row in rows}
        if all(status == "published" for status, _ in states.values()) or time.monotonic() > deadline:
            return states
        await asyncio.sleep(1)
