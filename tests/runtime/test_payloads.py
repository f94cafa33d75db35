"""The converter of Temporal's payloads that all workflows and steps of a process share."""

import dataclasses
from datetime import UTC, datetime

from temporalio.api.common.v1 import Payload
from temporalio.bridge import worker
from temporalio.bridge.proto.workflow_completion import WorkflowActivationCompletion
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.converter import DataConverter, PayloadCodec

from domain.plan import Outcome
from domain.post import TargetStatus
from runtime.payloads import SharedConverter, skip_visits
from runtime.temporal import DATA_CONVERTER

OUTCOME = Outcome(status=TargetStatus.PUBLISHED, platform_post_id="1", editable_until=datetime(2026, 1, 1, tzinfo=UTC))


class Reversed(PayloadCodec):
    """A codec that reverses each payload."""

    async def encode(self, payloads: object) -> list[Payload]:
        """Reverse the payloads."""
        assert isinstance(payloads, list)
        return [Payload(metadata=payload.metadata, data=payload.data[::-1]) for payload in payloads]

    decode = encode


async def encoded(converter: DataConverter) -> bytes:
    """Return what the worker sends of a workflow's result."""
    completion = WorkflowActivationCompletion()
    command = completion.successful.commands.add()
    command.complete_workflow_execution.result.CopyFrom(DATA_CONVERTER.payload_converter.to_payload(OUTCOME))
    await worker.encode_completion(completion, converter, encode_headers=False, storage_concurrency_limit=1)
    return command.complete_workflow_execution.result.data


async def test_payloads_are_those_of_the_sdk() -> None:
    values = [OUTCOME, None, b"bytes", {"a": [1, "ü"]}, datetime(2026, 1, 1, tzinfo=UTC)]
    types = [Outcome, None, bytes, dict[str, list[int | str]], datetime]
    ours, theirs = await DATA_CONVERTER.encode(values), await pydantic_data_converter.encode(values)
    assert ours == theirs
    assert await DATA_CONVERTER.decode(theirs, types) == values  # type: ignore[arg-type]


def test_workflows_share_what_is_known_of_types() -> None:
    first, second = SharedConverter().converters, SharedConverter().converters
    assert all(part is second[encoding] for encoding, part in first.items())


async def test_a_converter_with_a_codec_visits_each_message() -> None:
    skip_visits()
    plain = await encoded(DATA_CONVERTER)
    assert plain == DATA_CONVERTER.payload_converter.to_payload(OUTCOME).data
    assert await encoded(dataclasses.replace(DATA_CONVERTER, payload_codec=Reversed())) == plain[::-1]
