"""Carry out a request for many posts one by one, and report the outcome of each."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from api.bulk.views import BulkItemView
from api.dependencies import Dependencies
from api.errors import refusal_of
from api.posts.answers.answer import Answer, refusal_view
from api.posts.at_rest import wait_until_at_rest
from api.shared.waiting import Deadline
from domain.errors import Problem, Unavailable
from domain.post import PostStatus
from store.posts.lists import statuses_of

_CONCURRENCY = 4
"""Posts of one request that are processed concurrently: it costs the process no more than as many single requests."""
_LONGEST_S = 50.0
"""Seconds after which no further post is begun. Proxies and clients usually give up after 60."""
MOST_PROBLEMS = 10
"""Problems that are listed for one post, so that the whole answer stays below 1 MiB."""
_NOT_BEGUN = Problem("There was no time for this post: send the same request again", "unavailable")
_TOO_MANY_REQUESTS = 429


@dataclass(frozen=True, slots=True)
class BulkCall:
    """One post of a request for many, and the call that serves it alone. `named` tells the client which it is."""

    call: Callable[[], Awaitable[Answer]]
    named: dict[str, Any]


async def answer_each(items: Sequence[BulkCall]) -> list[BulkItemView]:
    """Call every item and return the results in order. Raises nothing that an item has raised."""
    loop = asyncio.get_running_loop()
    deadline, room = loop.time() + _LONGEST_S, asyncio.Semaphore(_CONCURRENCY)

    async def answer(position: int, item: BulkCall) -> BulkItemView:
        async with room:
            if loop.time() > deadline:
                return _refused(position, item, Unavailable(_NOT_BEGUN, retry_after=1))
            try:
                return _done(position, await item.call())
            except Exception as error:  # noqa: BLE001 `refusal_of` logs what is no error of a client
                return _refused(position, item, error)

    # Tasks, so that what one binds to its log lines does not reach the next.
    return list(await asyncio.gather(*(answer(position, item) for position, item in enumerate(items))))


def is_worth_repeating(results: Sequence[BulkItemView]) -> bool:
    """Return whether a repeat of the request may have another answer: then this answer is not kept."""
    return any(item.http_status == _TOO_MANY_REQUESTS or item.http_status >= 500 for item in results)


async def wait_for_outcomes(
    deps: Dependencies, workspace_id: str, results: Sequence[BulkItemView], deadline: Deadline
) -> Sequence[BulkItemView]:
    """Return results with the posts' statuses once none is being published any more, or the deadline is over."""
    moving = [item.id for item in results if item.id and _status(item) == PostStatus.PUBLISHING]
    if not moving:
        return results
    await asyncio.gather(*(wait_until_at_rest(deps, post_id, deadline) for post_id in moving))
    async with deps.database.reading() as session:
        statuses = await statuses_of(session, workspace_id, moving)
    return [
        item.model_copy(update={"status": PostStatus(statuses[item.id])}) if item.id in statuses else item
        for item in results
    ]


def _status(item: BulkItemView) -> PostStatus | None:
    return item.status if "status" in item.model_fields_set else None


def _done(position: int, answer: Answer) -> BulkItemView:
    said = json.loads(answer.body)
    given: dict[str, Any] = {"replayed": True} if answer.replayed else {}
    if "status" in said:
        given |= {"status": PostStatus(said["status"]), "scheduled_for": said["scheduledFor"]}
    if "externalId" in said:
        given["external_id"] = said["externalId"]
    return BulkItemView.model_construct(position=position, http_status=answer.status, id=said["id"], **given)


def _refused(position: int, item: BulkCall, error: Exception) -> BulkItemView:
    refusal = refusal_of(error)
    given: dict[str, Any] = {"id": None} | item.named
    if refusal.retry_after is not None:
        given["retry_after"] = refusal.retry_after
    return BulkItemView.model_construct(
        position=position, http_status=refusal.status, error=refusal_view(refusal, MOST_PROBLEMS), **given
    )
