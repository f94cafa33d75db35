"""The ids of a post, its workflow and its request in every log line of an activity."""

from typing import Any

import structlog
from temporalio import activity
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput, Interceptor

from activities.commands import PostCommand


class LogContext(Interceptor):
    """An interceptor that binds ids to the log context while an activity runs."""

    def intercept_activity(self, next: ActivityInboundInterceptor) -> ActivityInboundInterceptor:  # noqa: A002
        """Wrap the next interceptor."""
        return _Binding(next)


class _Binding(ActivityInboundInterceptor):
    async def execute_activity(self, input: ExecuteActivityInput) -> Any:  # noqa: A002
        info = activity.info()
        ids = {"workflow_id": info.workflow_id, "activity": info.activity_type, "attempt": info.attempt}
        for command in input.args:
            if isinstance(command, PostCommand):
                ids |= command.model_dump(include={"post_id", "request_id", "target_id"}, exclude_none=True)
        with structlog.contextvars.bound_contextvars(**ids):
            return await super().execute_activity(input)
