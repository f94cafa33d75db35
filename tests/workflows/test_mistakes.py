"""A mistake in the workflow's code delays posts until it is fixed, and loses no post."""

from typing import Any

import pytest

from domain.post import PostStatus
from tests.stack import Stack
from workflows import steps


async def test_post_is_published_once_corrected_code_is_deployed(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    publish, mistakes = steps.publish_locally, list[str]()

    async def broken(*args: Any) -> Any:
        if not mistakes:
            mistakes.append("made")
            raise KeyError("a mistake of ours")
        return await publish(*args)

    monkeypatch.setattr(steps, "publish_locally", broken)
    post = await stack.publish("held up", [stack.accounts["twitter"]])
    assert post.status == PostStatus.PUBLISHED
    assert len(await stack.public("held up")) == 1
    history = await stack.client.get_workflow_handle(post.workflow_id).fetch_history()
    failed = [each for each in history.events if each.HasField("workflow_task_failed_event_attributes")]
    assert mistakes == ["made"]
    assert len(failed) == 1
