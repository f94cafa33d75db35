"""Carry out a request for many posts one by one, and report the outcome of each."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from api.bulk.bodies import BulkItemView
from api.dependencies import Dependencies
from api.errors import error_view, to_refusal
from api.posts.answers.answer import Answer
from api.posts.lookup import wait_until_at_rest
from api.shared.waiting import Deadline
from domain.errors import Problem, Unavailable
from domain.post import PostStatus
from store.posts.lists import read_statuses

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
    """One post of a request for many, and the call that serves it alone. An id tells the client which one it is."""

    call: Callable[[], Awaitable[Answer]]
    post_id: str | None = None
    external_id: str | None = None


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
            except Exception as error:  # noqa: BLE001 `to_refusal` logs what is no error of a client
                return _refused(position, item, error)

    # Tasks, so that what one binds to its log lines does not reach the next.
    return list(await asyncio.gather(*(answer(position, item) for position, item in enumerate(items))))


def is_worth_repeating(results: Sequence[BulkItemView]) -> bool:
    """Return whether a repeat of the request may have another answer: then this answer is not kept."""
    return any(item["httpStatus"] == _TOO_MANY_REQUESTS or item["httpStatus"] >= 500 for item in results)


async def wait_for_outcomes(
    deps: Dependencies, workspace_id: str, results: Sequence[BulkItemView], deadline: Deadline
) -> None:
    """Give results the posts' statuses once none is being published any more, or the deadline is over."""
    moving = [item["id"] for item in results if item["id"] and item.get("status") == PostStatus.PUBLISHING]
    if not moving:
        return
    await asyncio.gather(*(wait_until_at_rest(deps, post_id, deadline) for post_id in moving))
    async with deps.database.reading() as session:
        statuses = await read_statuses(session, workspace_id, moving)
    for item in results:
        if item["id"] in statuses:
            item["status"] = PostStatus(statuses[item["id"]])


def _done(position: int, answer: Answer) -> BulkItemView:
    body = json.loads(answer.body)
    item = BulkItemView(position=position, httpStatus=answer.status, id=body["id"])
    if "externalId" in body:
        item["externalId"] = body["externalId"]
    if "status" in body:
        item["status"] = PostStatus(body["status"])
    if "scheduledFor" in body:
        item["scheduledFor"] = body["scheduledFor"]
    if answer.replayed:
        item["replayed"] = True
    return item


def _refused(position: int, call: BulkCall, error: Exception) -> BulkItemView:
    refusal = to_refusal(error)
    item = BulkItemView(position=position, httpStatus=refusal.status, id=call.post_id)
    if call.external_id is not None:
        item["externalId"] = call.external_id
    if refusal.retry_after is not None:
        item["retryAfter"] = refusal.retry_after
    item["error"] = error_view(refusal.problems[:MOST_PROBLEMS], refusal.kind)
    return item
