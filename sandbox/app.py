"""Functions that build the sandbox: one mounted application per platform, and the control side."""

import time
from collections.abc import Callable
from pathlib import Path

from litestar import Litestar, asgi
from litestar.handlers import ASGIRouteHandler
from litestar.types import Receive, Scope, Send

from sandbox.control import Control
from sandbox.faults import FaultBoard
from sandbox.gateway import Gateway
from sandbox.registry import discover
from sandbox.requestlog import RequestLog
from sandbox.world import World


def create_sandbox(
    data_dir: Path | None = None,
    *,
    realistic: bool = False,
    strict: bool = False,
    public_url: str | None = None,
    clock: Callable[[], float] | None = None,
) -> Litestar:
    """Build the sandbox of platforms.

    Args:
        data_dir: The folder of the journal; without one nothing survives a restart.
        realistic: Keep the platforms' own rate limits and processing times.
        strict: Refuse parameters that the platforms would ignore because they do not know them.
        public_url: The sandbox's own address, for answers that contain addresses of the platform itself; if left out,
        it is taken from each request.
        clock: Returns the seconds since 1970; for tests.
    """
    world = World(data_dir, realistic=realistic, clock=clock or time.time)
    faults, log = FaultBoard(), RequestLog()
    fakes = [fake(world) for fake in discover()]
    control = Control(world, faults, log, fakes)
    mounts = [_mount(Gateway(fake, faults, log, public_url, strict=strict), fake.platform) for fake in fakes]
    return Litestar(
        route_handlers=[*mounts, *control.handlers()],
        openapi_config=None,
        logging_config=None,
        on_shutdown=[world.journal.close],
    )


def _mount(gateway: Gateway, name: str) -> ASGIRouteHandler:
    async def platform(scope: Scope, receive: Receive, send: Send) -> None:
        await gateway(scope, receive, send)

    return asgi(f"/{name}", is_mount=True, copy_scope=False)(platform)
