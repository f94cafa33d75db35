"""Connect to Temporal the one way every process, test and tool must: same converter, bounded patience."""

import asyncio
import dataclasses
from typing import Any, cast

import structlog
from temporalio.api.failure.v1 import Failure
from temporalio.client import Client
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DefaultFailureConverter, PayloadConverter
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.runtime import Runtime
from temporalio.service import GrpcCompression, RPCError

from platforms.errors import NetworkError
from store.secret_values import SECRETS

log = structlog.get_logger(__name__)


class WordlessFailures(DefaultFailureConverter):
    """Keep the words of exceptions that are not ours out of histories: they may repeat content or credentials.

    Their type and stack trace stay; what they say is in the worker's log, behind its masks.
    """

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """Convert an exception and what caused it."""
        if not isinstance(exception, FailureError):
            wordless = ApplicationError("see the worker's log", type=type(exception).__name__)
            wordless.__cause__ = exception.__cause__
            exception = wordless.with_traceback(exception.__traceback__)
        super().to_failure(exception, payload_converter, failure)
        if isinstance(exception.__cause__, NetworkError):
            # All of it that may be told is told already, and Temporal hides what a failure says once it has 4 kB.
            failure.ClearField("cause")


DATA_CONVERTER = dataclasses.replace(pydantic_data_converter, failure_converter_class=WordlessFailures)


async def connect(
    *,
    address: str | None = None,
    namespace: str | None = None,
    attempts: int = 10,
    lazy: bool = False,
    runtime: Runtime | None = None,
) -> Client:
    """Return a client for the server that TEMPORAL_* names, or for `address`.

    Nothing is compressed: the messages hold ids and times, and packing them costs both sides more than sending them.
    The server may come up after us (compose, a restart), so a refused connection is tried again `attempts` times,
    1 to 15 s apart. `lazy` connects at the first call instead, for a process that must start without Temporal.
    """
    config = cast("dict[str, Any]", ClientConfig.load_client_connect_config())
    SECRETS.remember(config.get("api_key") or "")
    config["target_host"] = address or config.get("target_host") or "localhost:7233"
    if namespace:
        config["namespace"] = namespace
    config |= {"data_converter": DATA_CONVERTER, "grpc_compression": GrpcCompression.NONE}
    for attempt in range(1, attempts + 1):
        try:
            return await Client.connect(**config, lazy=lazy, runtime=runtime)
        except (RuntimeError, RPCError) as error:
            if attempt == attempts:
                raise
            delay = min(2 ** (attempt - 1), 15)
            log.warning(
                "temporal.unreachable", address=config["target_host"], retry_in_s=delay, reason=str(error)[:200]
            )
            await asyncio.sleep(delay)
    raise AssertionError("unreachable: the loop returns or raises")
