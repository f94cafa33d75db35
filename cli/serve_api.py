"""The process of the API, as production and `socialsyncer dev` run it."""

import asyncio
from functools import partial
from typing import Any

import uvicorn

from api.http.protocol import ApiProtocol
from api.http.sockets import OpenSockets
from cli.environment import make_settings
from cli.errors import UserError
from cli.stack.ports import PortRequest, require_free
from runtime.logging import configure, log_uncaught
from runtime.process import allow_open_files, tune_gc
from runtime.schema import announce_process
from runtime.settings import Settings
from store.schema.revisions import SchemaError

_OTHER_FILES = 500
"""Open files that are no client's connection: connections to the database and to Temporal, logs, and a reserve."""
_DRAIN = 65
"""Seconds that requests in flight get at shutdown; the longest wait for an outcome is 60."""


def serve_api(host: str | None, port: int | None) -> None:
    """Serve the Posts API until stopped. Raises UserError."""
    settings = make_settings(Settings)
    configure(settings.log_level, settings.log_format)
    port = port or settings.api_port
    require_free([PortRequest("--port", port)])
    log_uncaught()
    try:
        asyncio.run(announce_process("api", settings))
    except SchemaError as error:
        raise UserError(str(error)) from None
    tune_gc()
    allow_open_files(settings.api_connections + _OTHER_FILES)
    open_sockets = OpenSockets(settings.api_connections, settings.api_connections_per_address)
    uvicorn.run(
        "runtime.app:create_app_from_env",
        factory=True,
        host=host or settings.api_host,
        port=port,
        timeout_graceful_shutdown=_DRAIN,
        **http_options(open_sockets),
    )


def http_options(open_sockets: OpenSockets) -> dict[str, Any]:
    """Return uvicorn's HTTP options, which production and tests share."""
    return {
        "http": partial(ApiProtocol, open_sockets=open_sockets),
        "ws": "none",
        "log_config": None,
        "access_log": False,
        "server_header": False,
    }
