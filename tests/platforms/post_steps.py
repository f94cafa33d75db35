"""The steps of a post as the worker takes them, and what a platform refuses."""

from collections.abc import Awaitable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from platforms.base import Finding, PublishContext, Published
from platforms.capabilities import ChoosesKey
from platforms.errors import PlatformError
from tests.platforms.bluesky.rig import record
from tests.platforms.rig import Rig


async def refused(step: Awaitable[object]) -> PlatformError:
    """Return the error with which a step ends."""
    with pytest.raises(PlatformError) as caught:
        await step
    return caught.value


async def refused_send(
    rig: Rig, context: PublishContext[Any], fault: str = "", *, client: httpx.AsyncClient | None = None, **more: Any
) -> PlatformError:
    """Send the public request, which a fault may meet; return the error with which that ends."""
    if fault:
        await rig.sandbox.fault(rig.platform.name, fault, "publish", **more)
    return await refused(rig.platform.publish(rig.connection(client), context))


async def confirm(rig: Rig, context: PublishContext[Any]) -> Any:
    """Ask the platform for a post."""
    return await rig.platform.confirm(rig.connection(), context)


async def confirmed_id(rig: Rig, context: PublishContext[Any]) -> str:
    """Return the id of the post that a confirmation finds."""
    finding = await rig.platform.confirm(rig.connection(), context)
    assert isinstance(finding, Published)
    return finding.platform_post_id


async def ready(rig: Rig, context: PublishContext[Any], client: httpx.AsyncClient | None = None) -> PublishContext[Any]:
    """Prepare and begin an attempt, up to the request that makes it public; returns the attempt."""
    if rig.platform.prepares(context.draft):
        await rig.platform.prepare(rig.connection(client), context)
    if isinstance(rig.platform, ChoosesKey):
        await rig.platform.assign_key(context)
    context.started_at = context.started_at or datetime.now(UTC)
    return context


async def publish(rig: Rig, context: PublishContext[Any], client: httpx.AsyncClient | None = None) -> Published:
    """Take every step of a post."""
    await ready(rig, context, client)
    published = await rig.platform.publish(rig.connection(client), context)
    return await rig.platform.complete(rig.connection(client), context, published)


async def every_step(rig: Rig, context: PublishContext[Any], client: httpx.AsyncClient) -> Finding:
    """Take every step of a post, from the account's identity to a confirmation; returns what that finds."""
    await rig.platform.whoami(rig.connection(client))
    await publish(rig, context, client)
    return await rig.platform.confirm(rig.connection(client), context)


async def lost(rig: Rig, context: PublishContext[Any], fault: str = "accept_then_drop", **more: Any) -> PlatformError:
    """Prepare an attempt and let its public request fail; returns the error."""
    await ready(rig, context)
    return await refused_send(rig, context, fault, **more)


def resumed(rig: Rig, context: PublishContext[Any]) -> PublishContext[Any]:
    """Return the attempt as another worker finds it: with the handles that were saved."""
    return replace(context, handles=httpx.Response(200, json=rig.saved[-1] if rig.saved else {}).json())


async def thread(rig: Rig) -> list[str]:
    """Return the texts of all posts of an account, oldest first; each must reply to the one before it."""
    posts = (await rig.posts())[::-1]
    parents = [await _parent(rig, post["platformPostId"]) for post in posts]
    assert parents == [None, *(post["platformPostId"] for post in posts[:-1])]
    return [post["text"] for post in posts]


async def _parent(rig: Rig, post_id: str) -> Any:
    """Return the id of the post to which a post of Bluesky, Threads or X replies, or None."""
    if rig.platform.name == "bluesky":
        return (await record(rig, post_id)).get("reply", {}).get("parent", {}).get("uri")
    if rig.platform.name == "threads":
        return (await rig.read(f"/v1.0/{post_id}", fields="replied_to")).get("replied_to", {}).get("id")
    shown = (await rig.read(f"/2/tweets/{post_id}", **{"tweet.fields": "referenced_tweets"}))["data"]
    return next((tweet["id"] for tweet in shown.get("referenced_tweets", []) if tweet["type"] == "replied_to"), None)
