"""Helpers for tests of Bluesky."""

from dataclasses import replace
from typing import Any

from platforms.base import PublishContext
from tests.platforms.rig import Rig
from tests.platforms.sources import Described


def sized(rig: Rig, context: PublishContext[Any]) -> PublishContext[Any]:
    """Return the attempt with media whose size in pixels is known, as the worker reports it."""
    return replace(context, media=Described(rig.source, {"width": 640, "height": 480}))


async def record(rig: Rig, uri: str) -> dict[str, Any]:
    did, collection, rkey = uri.removeprefix("at://").split("/")
    params = {"repo": did, "collection": collection, "rkey": rkey}
    answer = await rig.sandbox.client.get(f"{rig.sandbox.url}/bluesky/xrpc/com.atproto.repo.getRecord", params=params)
    value: dict[str, Any] = answer.json()["value"]
    return value


async def names(rig: Rig) -> list[str]:
    """Return the last part of the name of every request, oldest first."""
    return [request["path"].rpartition(".")[2] for request in await rig.requests()]


async def logins(rig: Rig) -> list[str]:
    """Return the names of the requests that opened or renewed a session."""
    return [name for name in await names(rig) if name.endswith("Session")]
