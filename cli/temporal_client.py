"""Temporal's client for the duration of one command."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from temporalio.client import Client
from temporalio.runtime import Runtime, TelemetryConfig

from cli.environment import Environment
from runtime.temporal import open_client


@asynccontextmanager
async def temporal_client(environment: Environment[Any], *, attempts: int = 1) -> AsyncIterator[Client]:
    """Connect to an environment's Temporal, in so many attempts. Raises RPCError, RuntimeError if it does not answer.

    The SDK's threads end with the block if nothing refers to the client any more. With its default runtime, threads may
    still be inside the interpreter when that ends, which aborts the process after its work is done.
    """
    runtime = Runtime(telemetry=TelemetryConfig())
    client = await open_client(
        address=environment.temporal_address,
        namespace=environment.temporal_namespace,
        attempts=attempts,
        runtime=runtime,
    )
    try:
        yield client
    finally:
        del client, runtime
        gc.collect()
