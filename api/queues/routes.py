"""The endpoints under /v1/queues: weekly times at which posts go out."""

from collections.abc import Sequence
from datetime import UTC, datetime

from litestar import Controller
from sqlalchemy.ext.asyncio import AsyncSession

from api.auth import AUTHENTICATED, request_actor
from api.dependencies import Dependencies
from api.endpoint import Endpoint
from api.http.headers import HttpRequest
from api.http.parameters import query
from api.http.query import Query
from api.posts.bodies.blackouts import blackout_view
from api.queues.actions import change_queue, create_queue, delete_queue, list_slots, read_range, require_queue
from api.queues.schemas import (
    DeletedQueueView,
    QueueAccountView,
    QueueBody,
    QueueListView,
    QueuePatchBody,
    QueueView,
    SlotListView,
    SlotRuleView,
)
from domain.queues import MOST_DAYS
from domain.schedule import rfc3339
from store.models import Queue
from store.queues.queues import accounts_of_queues, list_queues

_BOUND = {"type": "string", "minLength": 1}
_MEANING = "a date, or a date and time, in the queue's zone if it has no offset"


class QueueEndpoints(Controller):
    """The queues of the caller's workspace. They need neither Temporal nor a worker."""

    dependencies = AUTHENTICATED

    @Endpoint(
        route="POST /v1/queues",
        errors=("queueNameTaken", "accountNotConnected", "accountInAnotherQueue", "tooManyQueues"),
        status=201,
    )
    async def create_queue(self, body: QueueBody, workspace_id: str, deps: Dependencies) -> QueueView:
        """Create a queue.

        Weekly times at which the posts of some accounts go out. A post with `"queue": "next"` instead of `scheduledFor`
        gets the first free one. Slots are wall times in `timezone`, right on both clock changes.
        """
        queue = await create_queue(deps, workspace_id, body)
        async with deps.database.reading() as session:
            return (await _views(session, [queue]))[0]

    @Endpoint(route="GET /v1/queues")
    async def list_queues(self, workspace_id: str, deps: Dependencies) -> QueueListView:
        """List the queues.

        All queues of the workspace, the oldest first.
        """
        async with deps.database.reading() as session:
            return QueueListView(queues=await _views(session, await list_queues(session, workspace_id)))

    @Endpoint(route="GET /v1/queues/{queueId}", errors=("queueNotFound",))
    async def get_queue(self, queue_id: str, workspace_id: str, deps: Dependencies) -> QueueView:
        """Get a queue.

        With its slots as they were given; `GET /v1/queues/{queueId}/slots` lists their dates.
        """
        async with deps.database.reading() as session:
            return (await _views(session, [await require_queue(session, workspace_id, queue_id)]))[0]

    @Endpoint(
        route="PATCH /v1/queues/{queueId}",
        errors=(
            "queueNameTaken",
            "zoneNeedsReflow",
            "accountNotConnected",
            "accountInAnotherQueue",
            "reflowFull",
            "queueNotFound",
        ),
    )
    async def update_queue(
        self, request: HttpRequest, queue_id: str, body: QueuePatchBody, workspace_id: str, deps: Dependencies
    ) -> QueueView:
        """Change a queue.

        Posts that wait in the queue keep their times, unless `reflow` is true: then they get new slots in their order,
        all of them or none. A new `timezone` needs `reflow` while posts wait.
        """
        queue, moved = await change_queue(deps, workspace_id, queue_id, body, request_actor(request))
        async with deps.database.reading() as session:
            (shown,) = await _views(session, [queue])
        if moved is not None:
            shown["moved"] = len(moved)
        return shown

    @Endpoint(
        route="DELETE /v1/queues/{queueId}",
        errors=("unknownField", "invalidJson", "queueNotFound", "tooLarge", "notJson"),
    )
    async def delete_queue(self, queue_id: str, workspace_id: str, deps: Dependencies) -> DeletedQueueView:
        """Delete a queue.

        Posts that wait in it keep their times.
        """
        await delete_queue(deps, workspace_id, queue_id)
        return DeletedQueueView(id=queue_id, deleted=True)

    @Endpoint(
        route="GET /v1/queues/{queueId}/slots",
        description=f"The dates of its slots, and the posts that have them; at most {MOST_DAYS} days at once.",
        errors=("wrongRange", "queueNotFound"),
        parameters=(
            query("from", f"The first instant: {_MEANING}. Now by default.", _BOUND, "2030-12-02"),
            query("to", f"The last instant: {_MEANING}. 30 days later by default.", _BOUND, "2030-12-31"),
        ),
    )
    async def list_queue_slots(
        self, query: Query, queue_id: str, workspace_id: str, deps: Dependencies
    ) -> SlotListView:
        """List the slots of a queue."""
        async with deps.database.reading() as session:
            queue = await require_queue(session, workspace_id, queue_id)
            return await list_slots(session, queue, read_range(query, queue.timezone, datetime.now(UTC)))


async def _views(session: AsyncSession, queues: Sequence[Queue]) -> list[QueueView]:
    """Return queues as clients read them."""
    accounts = await accounts_of_queues(session, [queue.id for queue in queues])
    return [
        QueueView(
            id=queue.id,
            name=queue.name,
            timezone=queue.timezone,
            accounts=[
                QueueAccountView(platform=platform, accountId=account_id)
                for platform, account_id in accounts.get(queue.id, [])
            ],
            slots=[SlotRuleView(days=slot["days"], time=slot["time"]) for slot in queue.slots],
            blackouts=[blackout_view(blackout) for blackout in queue.blackouts],
            createdAt=rfc3339(queue.created_at),
            updatedAt=rfc3339(queue.updated_at),
        )
        for queue in queues
    ]
