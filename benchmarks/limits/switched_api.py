"""An API process whose limits a benchmark switches: `python -m benchmarks.switched_api PORT`.

The program prints `ready`. Each line that it gets is the requests and the posts that a minute may have, 0 for no limit;
it prints `ok` once they hold. So both sides of a comparison are one process: two of them differ by some per cent, if
only in where their memory lies. It ends when its standard input does.
"""

import asyncio
import os
import sys
from socket import socket

import uvicorn

from api.dependencies import Dependencies
from api.http.sockets import OpenSockets
from benchmarks.processes import input_lines
from cli.serve_api import http_options
from domain.request_limits import posts_policy, requests_policy
from runtime.app import create_app_from_env
from runtime.process import SHORT_VISITS, tune_gc

_CONNECTIONS = 1_000


class SwitchedServer(uvicorn.Server):
    """A server that stops when the standard input ends."""

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Begin to serve, and to obey."""
        await super().startup(sockets)
        if self.started:
            self._obeying = asyncio.create_task(self._obey())
            print("ready", flush=True)

    async def _obey(self) -> None:
        deps: Dependencies = self.config.app.state.deps  # type: ignore[union-attr]
        limits, lines = deps.request_limits, await input_lines()
        while line := (await lines.readline()).decode():
            requests, posts = map(int, line.split())
            limits.requests, limits.posts = requests_policy(requests), posts_policy(posts)
            print("ok", flush=True)
        self.should_exit = True


def main() -> None:
    """Serve at the port of the command line."""
    options = http_options(OpenSockets(_CONNECTIONS, _CONNECTIONS))
    config = uvicorn.Config(create_app_from_env(), port=int(sys.argv[1]), timeout_graceful_shutdown=1, **options)
    # Lines of the log are written, as in production, but not to the terminal.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    tune_gc(SHORT_VISITS)
    SwitchedServer(config).run()


if __name__ == "__main__":
    main()
