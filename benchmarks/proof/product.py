"""The running product as the proof sees it: its API, its platform, its database, and its processes."""

import asyncio
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import asyncpg
import httpx
from temporalio.api.enums.v1 import PendingActivityState, PendingWorkflowTaskState
from temporalio.client import Client as Temporal
from temporalio.client import WorkflowFailureError
from temporalio.service import RPCError, RPCStatusCode

from benchmarks.proof.inside.folder import Inside
from benchmarks.proof.platforms import api_name
from benchmarks.proof.verdict import public_posts
from benchmarks.waiting import eventually

_BACK_WITHIN = 240.0
_TABLE_OF_SENDS = "attempts"
_END_WHAT_WAITS = f"""
SELECT pg_terminate_backend(pid, 5000) FROM pg_locks
WHERE NOT granted AND relation = '{_TABLE_OF_SENDS}'::regclass
"""
_STEPS = frozenset({"publish", "edit"})
_CONCURRENCY = 16
_POLL_EVERY = 0.5


class ProofError(Exception):
    """An error with which the proof itself cannot continue."""


class Product:
    """The connections to a running stack."""

    def __init__(self, dev: dict[str, Any], inside: Inside) -> None:
        self.dev = dev
        self.inside = inside
        self.folder = Path(dev["dataDir"])
        limits = httpx.Limits(max_connections=600, max_keepalive_connections=32)
        headers = {"Authorization": f"Bearer {dev['apiKey']}"}
        self.api = httpx.AsyncClient(
            base_url=dev["apiUrl"], headers=headers, limits=limits, timeout=90, trust_env=False
        )
        # A connection kept for later can be closed by the sandbox in the moment in which a request goes over it.
        unkept = httpx.Limits(max_connections=600, max_keepalive_connections=0)
        self.sandbox = httpx.AsyncClient(base_url=dev["sandboxUrl"], limits=unkept, timeout=60, trust_env=False)
        self._temporal: Temporal | None = None
        self.uploads: dict[str, str] = {}
        """The public addresses of files that this product stores, by their types."""

    async def upload_files(self) -> None:
        """Upload a picture and a video, as a client does."""
        for kind, name in (("image", "proof.jpg"), ("video", "proof.mp4")):
            sample = await self.sandbox.get(f"/_/media/{name}")
            answer = await self.api.post("/v1/media", files={"file": (name, sample.raise_for_status().content)})
            self.uploads[kind] = answer.raise_for_status().json()["publicUrl"]

    async def close(self) -> None:
        """Close the connections."""
        await self.api.aclose()
        await self.sandbox.aclose()

    async def rows(self, query: str, *arguments: Any) -> list[Any]:
        """Run one query; if the database is down, wait for it."""
        deadline = time.monotonic() + _BACK_WITHIN
        while True:
            try:
                async with self._connection() as connection:
                    return list(await connection.fetch(query, *arguments))
            except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(0.3)

    @asynccontextmanager
    async def no_attempt_can_be_written(self) -> AsyncIterator[None]:
        """Keep every process from writing an attempt: no send can begin, and no outcome can be recorded.

        Reading still works. This stops workers at exactly one point, without any code for tests in the product.
        Statements that still wait at the end are cancelled: otherwise PostgreSQL would execute a dead worker's last
        statements.
        """
        async with self._connection() as connection, connection.transaction():
            await connection.execute(f"LOCK TABLE {_TABLE_OF_SENDS} IN EXCLUSIVE MODE")
            yield
            await connection.fetch(_END_WHAT_WAITS)

    @asynccontextmanager
    async def posts_are_locked(self, post_ids: Sequence[str | None]) -> AsyncIterator[None]:
        """Hold the statements that begin to send these posts, until the end of the block.

        Their worker may be frozen by then: its attempts are then written, and its requests unsent.
        """
        async with self._connection() as connection, connection.transaction():
            await connection.fetch("SELECT FROM posts WHERE id = ANY($1) ORDER BY id FOR UPDATE", post_ids)
            yield

    async def control(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """Send a request to the sandbox's control side."""
        answer = await self.sandbox.request(method, f"/_/{path}", json=body, params=query)
        answer.raise_for_status()
        return answer.json()

    async def public(self, name: str, account_id: str, mark: str) -> list[tuple[str, str]]:
        """Return ids and texts that a platform shows of a post now."""
        mine = {"platform": api_name(name), "accountId": account_id}
        return public_posts(mark, (await self.control("GET", "posts", **mine))["posts"])

    async def repeat(
        self,
        method: str,
        path: str,
        *,
        within_s: float = 180.0,
        every_s: float = _POLL_EVERY,
        send: Callable[..., Awaitable[httpx.Response]] | None = None,
        **options: Any,
    ) -> httpx.Response:
        """Repeat a request while it gets no answer, or one of a server that is not ready, as a client does."""
        deadline = time.monotonic() + within_s
        while True:
            with suppress(httpx.HTTPError):
                answer = await (send or self.api.request)(method, path, **options)
                if answer.status_code < httpx.codes.INTERNAL_SERVER_ERROR:
                    return answer
            if time.monotonic() > deadline:
                raise ProofError(f"the API gave no definite answer to {method} {path}")
            await asyncio.sleep(every_s)

    async def definite(self, method: str, path: str, **options: Any) -> dict[str, Any]:
        """Return what a request that is repeated gets. Raises ProofError if that is a refusal."""
        answer = await self.repeat(method, path, every_s=0.2, **options)
        if not answer.is_success:
            raise ProofError(f"{method} {path}: {answer.status_code} {answer.text[:300]}")
        view: dict[str, Any] = answer.json()
        return view

    async def takes(self, workflow_ids: Iterable[str]) -> set[str]:
        """Return those of the workflows whose next task a worker has, according to Temporal.

        The task is the step that sends, or the workflow's own task before it.
        """
        temporal, slots = await self._client(), asyncio.Semaphore(_CONCURRENCY)

        async def taken(workflow_id: str) -> str | None:
            try:
                async with slots:
                    description = (await temporal.get_workflow_handle(workflow_id).describe()).raw_description
            except RPCError:
                # Its start is still in progress.
                return None
            step, task = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED, description.pending_workflow_task.state
            begun = (
                activity.state == step and activity.activity_type.name in _STEPS
                for activity in description.pending_activities
            )
            decides = task == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_STARTED
            return workflow_id if any(begun) or decides else None

        return set(filter(None, await asyncio.gather(*map(taken, workflow_ids))))

    async def cancel(self, workflow_id: str) -> bool:
        """Cancel a workflow as an operator does, and wait until it has ended; if Temporal is down, wait for it.

        Returns False if there is none to cancel: it has ended by itself, or has not been started yet.
        """
        deadline = time.monotonic() + _BACK_WITHIN
        while True:
            try:
                handle = (await self._client()).get_workflow_handle(workflow_id)
                await handle.cancel()
                with suppress(WorkflowFailureError):
                    # It should end as cancelled; any other end is an end as well.
                    await handle.result()
            except (RPCError, RuntimeError) as error:
                # The first connection to a server that is down fails with a RuntimeError.
                if isinstance(error, RPCError) and error.status is RPCStatusCode.NOT_FOUND:
                    return False
                if time.monotonic() > deadline:
                    raise
                await asyncio.sleep(_POLL_EVERY)
            else:
                return True

    async def retry(self, workflow_id: str) -> None:
        """Send the signal `retry` as an operator does after an outage; a workflow that has ended accepts none."""
        with suppress(RPCError, RuntimeError):
            await (await self._client()).get_workflow_handle(workflow_id).signal("retry")

    async def _client(self) -> Temporal:
        if self._temporal is None:
            self._temporal = await Temporal.connect(self.dev["temporalAddress"])
        return self._temporal

    def pid(self, part: str) -> int | None:
        """Return a part's process id; None while it is down."""
        with suppress(OSError, ValueError, KeyError):
            return int(json.loads((self.folder / "run.json").read_text())[part]["pid"])
        return None

    def signal(self, number: signal.Signals, *parts: str) -> None:
        """Send a signal to parts."""
        for part in parts:
            if (pid := self.pid(part)) is not None:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)

    def kill(self, *parts: str) -> dict[str, int | None]:
        """Kill parts with SIGKILL; return their former process ids."""
        had = {part: self.pid(part) for part in parts}
        self.signal(signal.SIGKILL, *parts)
        return had

    async def back(self, had: dict[str, int | None]) -> float:
        """Wait until killed parts run again and all parts are ready; return the seconds it took."""
        began = time.monotonic()

        async def is_back() -> bool:
            return all(self.pid(part) not in (None, pid) for part, pid in had.items()) and await self._ready()

        if not await eventually(is_back, _BACK_WITHIN):
            raise TimeoutError(f"{', '.join(had)} did not come back within {_BACK_WITHIN:.0f} s")
        return time.monotonic() - began

    async def _ready(self) -> bool:
        with suppress(httpx.HTTPError):
            return (await self.api.get("/statusz?strict=true")).is_success
        return False

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator[Any]:
        connection = await asyncpg.connect(self.dev["databaseUrl"], ssl=False, timeout=60)
        try:
            yield connection
        finally:
            with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError, TimeoutError):
                await connection.close(timeout=5)
