"""Pauses of a stack's workspace, begun and ended as the API does."""

from datetime import timedelta

from domain.pauses import WORKSPACE_GATE, Gate, MissedPolicy, Resumed
from store.models import Pause
from store.pauses.pauses import begin_pause, end_pause
from tests.stack import Stack


async def begin(stack: Stack, gate: Gate = WORKSPACE_GATE) -> Pause:
    """Begin a pause."""
    async with stack.api_database.transaction() as session:
        begun, _ = await begin_pause(session, stack.workspace_id, gate, "a test", await stack.actor())
    return begun


async def resume(stack: Stack, begun: Pause, policy: MissedPolicy = MissedPolicy.PUBLISH) -> Resumed:
    """End a pause, and deliver what is due at once."""
    async with stack.api_database.transaction() as session:
        ended = await end_pause(session, await session.merge(begun), policy, timedelta(0), await stack.actor())
    assert ended is not None
    resumed, due = ended
    for post_id in due:
        await stack.deliver(await stack.read(post_id))
    return resumed
