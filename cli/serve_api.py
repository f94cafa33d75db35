"""The process of the API, as production and `socialsyncer dev` run it."""

import asyncio
import signal
import sys
import time
from functools import partial
from types import FrameType
from typing import Any

import uvicorn

from api.http.protocol import ApiProtocol
from api.http.sockets import OpenSockets
from cli.environment import make_settings
from cli.errors import UserError
from cli.stack.ports import PortRequest, require_free
from runtime.logging import configure, log_uncaught
from runtime.process import SHORT_VISITS, allow_open_files, tune_gc
from runtime.schema import announce_process
from runtime.settings import Settings
from store.pooler import PoolerError
from store.roles import Component
from store.schema.revisions import SchemaError

_OTHER_FILES = 500
"""Open files that are no client's connection: connections to the database and to Temporal, logs, and a reserve."""
_IN_FLIGHT_S = 65
"""Seconds that requests in flight get at shutdown; the longest wait for an outcome is 60."""
_STARTUP_FAILED = 3
"""The exit status of uvicorn's own command in that case."""


class DrainingServer(uvicorn.Server):
    """A server that continues for a while after SIGTERM, until a balancer has learnt from /readyz that it ends."""

    def __init__(self, config: uvicorn.Config, open_sockets: OpenSockets, drain_s: float) -> None:
        super().__init__(config)
        self._open = open_sockets
        self._drain_s = drain_s
        self._stops_at: float | None = None

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain at the first SIGTERM; stop at any other signal."""
        if sig != signal.SIGTERM or self._open.draining or not self._drain_s:
            super().handle_exit(sig, frame)
            return
        self._open.draining = True
        self._stops_at = time.monotonic() + self._drain_s

    async def on_tick(self, counter: int) -> bool:
        """Stop when the time is over. uvicorn calls this ten times a second."""
        if self._stops_at is not None and time.monotonic() >= self._stops_at:
            self._stops_at = None
            super().handle_exit(signal.SIGTERM, None)
        return await super().on_tick(counter)


def serve_api(host: str | None, port: int | None) -> None:
    """Serve the API until stopped. Raises UserError."""
    settings = make_settings(Settings)
    configure(settings.log_level, settings.log_format)
    port = port or settings.api_port
    require_free([PortRequest("--port", port)])
    log_uncaught()
    try:
        asyncio.run(announce_process(Component.API, settings))
    except (SchemaError, PoolerError) as error:
        raise UserError(str(error)) from None
    tune_gc(SHORT_VISITS)
    allow_open_files(settings.api_connections + _OTHER_FILES)
    open_sockets = OpenSockets(settings.api_connections, settings.api_connections_per_address)
    config = uvicorn.Config(
        "runtime.app:create_app_from_env",
        factory=True,
        host=host or settings.api_host,
        port=port,
        timeout_graceful_shutdown=_IN_FLIGHT_S,
        **http_options(open_sockets),
    )
    server = DrainingServer(config, open_sockets, settings.api_drain_s)
    server.run()
    if not server.started:
        sys.exit(_STARTUP_FAILED)


def http_options(open_sockets: OpenSockets) -> dict[str, Any]:
    """Return uvicorn's HTTP options, which production and tests share."""
    return {
        "http": partial(ApiProtocol, open_sockets=open_sockets),
        "ws": "none",
        "log_config": None,
        "access_log": False,
        "server_header": False,
    }
