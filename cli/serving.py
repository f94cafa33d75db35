"""Run the api or the sandbox alone, as production and `socialsyncer dev` do."""

from pathlib import Path

import uvicorn

from cli.errors import UserError
from cli.place import from_environment
from cli.stack.ports import is_free
from runtime.logging import configure

_DRAIN = 65
"""Seconds that requests in flight get at the end: the longest wait for an outcome is 60."""


def serve_api(host: str | None, port: int | None) -> None:
    """Serve the Posts API until told to end. Raises UserError."""
    settings = from_environment().settings
    configure(settings.log_level, settings.log_format)
    host, port = host or settings.api_host, port or settings.api_port
    _require(port)
    uvicorn.run(
        "api.app:create_app_from_env",
        factory=True,
        host=host,
        port=port,
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_DRAIN,
    )


def serve_sandbox(host: str, port: int, data_dir: Path, *, realistic: bool) -> None:
    """Serve the sandbox of networks until told to end. Raises UserError."""
    from sandbox.server import run

    configure("info", "json")
    _require(port)
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    run(host, port, data_dir, realistic=realistic)


def _require(port: int) -> None:
    if not is_free(port):
        raise UserError(f"Port {port} is in use: choose another one with --port.")
