"""Run the api alone, as production and `socialsyncer dev` do."""

import uvicorn

from api.protocol import ApiProtocol
from cli.place import settings_of
from cli.stack.ports import Wish, require_free
from runtime.garbage import collect_seldom
from runtime.logging import configure, log_uncaught
from runtime.settings import Settings

_DRAIN = 65
"""Seconds that requests in flight get at the end: the longest wait for an outcome is 60."""


def serve_api(host: str | None, port: int | None) -> None:
    """Serve the Posts API until told to end. Raises UserError."""
    settings = settings_of(Settings)
    configure(settings.log_level, settings.log_format)
    port = port or settings.api_port
    require_free([Wish("--port", port)])
    log_uncaught()
    collect_seldom()
    uvicorn.run(
        "runtime.app:create_app_from_env",
        factory=True,
        host=host or settings.api_host,
        port=port,
        http=ApiProtocol,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_DRAIN,
    )
