"""Connect to Temporal the one way every process, test and tool must: same converter, bounded patience."""

import asyncio
from typing import Any, cast

import structlog
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.envconfig import ClientConfig
from temporalio.runtime import Runtime
from temporalio.service import RPCError

log = structlog.get_logger(__name__)


async def connect(
    *,
    address: str | None = None,
    namespace: str | None = None,
    attempts: int = 10,
    lazy: bool = False,
    runtime: Runtime | None = None,
) -> Client:
    """Return a client for the server that TEMPORAL_* names, or for `address`.

    The server may come up after us (compose, a restart), so a refused connection is tried again `attempts` times,
    1 to 15 s apart. `lazy` connects at the first call instead, for a process that must start without Temporal.
    """
    config = cast("dict[str, Any]", ClientConfig.load_client_connect_config())
    config["target_host"] = address or config.get("target_host") or "localhost:7233"
    if namespace:
        config["namespace"] = namespace
    for attempt in range(1, attempts + 1):
        try:
            return await Client.connect(**config, data_converter=pydantic_data_converter, lazy=lazy, runtime=runtime)
        except (RuntimeError, RPCError) as error:
            if attempt == attempts:
                raise
            delay = min(2 ** (attempt - 1), 15)
            log.warning(
                "temporal.unreachable", address=config["target_host"], retry_in_s=delay, reason=str(error)[:200]
            )
            await asyncio.sleep(delay)
    raise AssertionError("unreachable: the loop returns or raises")
