"""The least that reading a post over HTTP costs: a Litestar handler with one SELECT and a prepared answer.

`python -m benchmarks.baseline_api DSN PORT` reads two lines: the paths of files with the answers of `GET /one` and `GET
/list`. It serves them until its standard input ends.
"""

import asyncio
import socket
import sys
from pathlib import Path

import asyncpg
import uvicorn
from litestar import Litestar, Response, get

from benchmarks.baseline import lines
from runtime.process import new_event_loop


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print("serving", flush=True)


async def _run(dsn: str, port: int) -> None:
    typed = await lines()
    files = [(await typed.readline()).decode().strip() for _ in range(2)]
    one, page = [await asyncio.to_thread(Path(file).read_bytes) for file in files]
    async with asyncpg.create_pool(dsn, min_size=4, max_size=10) as pool:
        (post_id,) = await pool.fetchrow("SELECT id FROM posts ORDER BY id LIMIT 1")

        @get("/one")
        async def read_one() -> Response[bytes]:
            await pool.fetchrow("SELECT * FROM posts WHERE id = $1", post_id)
            return Response(one, media_type="application/json")

        @get("/list")
        async def read_list() -> Response[bytes]:
            await pool.fetch("SELECT * FROM posts ORDER BY id DESC LIMIT 20")
            return Response(page, media_type="application/json")

        app = Litestar([read_one, read_list], openapi_config=None, logging_config=None)
        server = _Server(uvicorn.Config(app, port=port, log_config=None, access_log=False))
        serving = asyncio.create_task(server.serve())
        await typed.read()
        server.should_exit = True
        await serving


if __name__ == "__main__":
    print("ready", flush=True)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        runner.run(_run(sys.argv[1], int(sys.argv[2])))
