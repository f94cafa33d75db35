"""The conversion of Temporal's payloads in this process: by one converter, without a search that changes nothing.

The SDK makes a converter for each message of a workflow and of a step, which prepares all types again. Before and after
each task of a workflow it then visits every field of the message three times, for codecs and for storage outside of
histories. Payloads of ours hold ids and times (ADR 5) and need neither. Both took a tenth of a worker's time.
"""

import functools
from collections.abc import Awaitable, Callable
from typing import Any, cast

from temporalio.bridge import worker
from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import CompositePayloadConverter, DataConverter
from temporalio.converter._extstore import StorageOperationMetrics

_CONVERTERS = tuple(PydanticPayloadConverter().converters.values())

_Visit = Callable[..., Awaitable[StorageOperationMetrics]]


class SharedConverter(CompositePayloadConverter):
    """The SDK's converter for pydantic; all workflows and steps share its parts, which keep what they know of types."""

    def __init__(self) -> None:
        super().__init__(*_CONVERTERS)


@functools.cache
def skip_visits() -> None:
    """Let the SDK's workers visit no message for a converter that has no codec and no storage."""
    bridge = cast("Any", worker)
    bridge.decode_activation = _if_of_use(worker.decode_activation)
    bridge.encode_completion = _if_of_use(worker.encode_completion)


def _if_of_use(visit: _Visit) -> _Visit:
    async def visit_if_of_use(message: object, converter: DataConverter, **options: Any) -> StorageOperationMetrics:
        if converter.payload_codec is None and converter.external_storage is None:
            return StorageOperationMetrics()
        return await visit(message, converter, **options)

    return visit_if_of_use
