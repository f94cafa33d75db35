"""Temporal's client for the duration of one command."""

import gc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from temporalio.client import Client
from temporalio.runtime import Runtime, TelemetryConfig

from cli.environment import Environment
from runtime.settings import Settings
from runtime.temporal import connect


@asynccontextmanager
async def temporal_client(environment: Environment[Settings]) -> AsyncIterator[Client]:
    """Connect to an environment's Temporal, once. Raises RPCError, RuntimeError if it does not answer.

    The SDK's threads end with the block if nothing refers to the client any more. With its default runtime, threads may
    still be inside the interpreter when that ends, which aborts the process after its work is done.
    """
    runtime = Runtime(telemetry=TelemetryConfig())
    client = await connect(
        address=environment.temporal_address, namespace=environment.temporal_namespace, attempts=1, runtime=runtime
    )
    try:
        yield client
    finally:
        del client, runtime
        gc.collect()
