"""The client of Temporal for every process, test and tool: the same converter and the same timeouts."""

import asyncio
import os
import socket
from typing import Any, cast

import structlog
from temporalio.api.failure.v1 import Failure
from temporalio.client import Client
from temporalio.converter import DataConverter, DefaultFailureConverter, PayloadConverter
from temporalio.envconfig import ClientConfig
from temporalio.exceptions import ApplicationError, FailureError
from temporalio.runtime import Runtime
from temporalio.service import GrpcCompression, RPCError

from activities.operators import IDENTITY
from domain.printable import error_words
from platforms.errors import PlatformError
from runtime.payloads import SharedConverter
from store.secrets.secret_values import SECRETS

log = structlog.get_logger(__name__)


_LONGEST_TRACE = 1000
_MOST_CAUSES = 2


class RedactingFailureConverter(DefaultFailureConverter):
    """A converter that keeps the messages of foreign exceptions out of histories: they may repeat content or secrets.

    Their type, the system's words for an errno and the end of the stack trace stay, in less than the 2 kB from which
    Temporal hides a pending activity's failure. The message is in the worker's log, behind its masks.
    """

    def to_failure(self, exception: BaseException, payload_converter: PayloadConverter, failure: Failure) -> None:
        """Convert an exception and what caused it."""
        quoted, cause = exception, exception.__cause__
        if not isinstance(exception, FailureError):
            quoted = ApplicationError(_explanation(exception), type=type(exception).__name__)
            quoted.with_traceback(exception.__traceback__)
        try:
            quoted.__cause__ = _quotable_cause(exception)
            super().to_failure(quoted, payload_converter, failure)
        finally:
            exception.__cause__ = cause
        failure.stack_trace = failure.stack_trace[-_LONGEST_TRACE:]
        _shorten_causes(failure)


def _explanation(exception: BaseException) -> str:
    """Return the text that a history may have of a foreign exception: for a system call, the errno and its meaning."""
    number = exception.errno if isinstance(exception, OSError) else None
    return f"errno {number}: {os.strerror(number)}" if number else "see the worker's log"


def _quotable_cause(exception: BaseException) -> BaseException | None:
    """Return the cause that a history may name. A platform's refusal is left out: the exception says it."""
    cause = exception.__cause__
    return None if cause is exception or isinstance(cause, PlatformError) else cause


def _shorten_causes(failure: Failure) -> None:
    for _ in range(_MOST_CAUSES):
        if not failure.HasField("cause"):
            return
        failure = failure.cause
        failure.stack_trace = ""
    failure.ClearField("cause")


DATA_CONVERTER = DataConverter(SharedConverter, failure_converter_class=RedactingFailureConverter)


async def open_client(
    *,
    address: str | None = None,
    namespace: str | None = None,
    attempts: int = 10,
    lazy: bool = False,
    runtime: Runtime | None = None,
) -> Client:
    """Return a client for the server that TEMPORAL_* names, or for `address`.

    Nothing is compressed: the messages hold ids and times, and packing them costs both sides more than sending them.
    The server may start later than this process (compose, a restart), so a refused connection is tried `attempts`
    times, 1 to 15 s apart. `lazy` reaches it at the first call instead, for a process that must start without Temporal.
    The client's name in histories says that it is a process and not a person.
    """
    config = cast("dict[str, Any]", ClientConfig.load_client_connect_config())
    SECRETS.remember(config.get("api_key") or "")
    config["target_host"] = address or config.get("target_host") or "localhost:7233"
    if namespace:
        config["namespace"] = namespace
    config["identity"] = f"{IDENTITY}:{os.getpid()}@{socket.gethostname()}"
    config |= {"data_converter": DATA_CONVERTER, "grpc_compression": GrpcCompression.NONE}
    for attempt in range(1, attempts + 1):
        try:
            return await Client.connect(**config, lazy=lazy, runtime=runtime)
        except (RuntimeError, RPCError) as error:
            if attempt == attempts:
                raise
            delay = min(2 ** (attempt - 1), 15)
            log.warning(
                "temporal.unreachable", address=config["target_host"], retry_in_s=delay, reason=error_words(error)[:200]
            )
            await asyncio.sleep(delay)
    raise AssertionError("unreachable: the loop returns or raises")
