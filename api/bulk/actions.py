"""Do the same to many posts: once for the request's Idempotency-Key, and each post with a key of its own."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import structlog

from api.bulk.bodies import (
    MOST_POSTS,
    BulkItemView,
    BulkResultView,
    BulkVerdictView,
    ItemVerdictView,
    ValidateManyBody,
    read_create_many,
    read_select_many,
    read_update_many,
)
from api.dependencies import Dependencies
from api.errors import error_view, problem_view, to_refusal
from api.http.body import JsonObject, body_size, sized
from api.posts.answers.rendering import Answer, answer_view
from api.posts.changes.create import create
from api.posts.changes.post_change import PostChange, delete, retry
from api.posts.changes.update import update_post
from api.posts.listing import cursor_after
from api.posts.lookup import wait_until_at_rest
from api.posts.media_checks import check_files, platforms_with_files
from api.posts.once import keyed_request, once, take_key
from api.posts.validate import CHECK_MEDIA, FileCheck, Verdict, find_verdict
from api.shared.waiting import Deadline
from domain.audit import Actor, api_key
from domain.content import PostContent
from domain.errors import Problem, Unavailable
from domain.ids import new_id
from domain.loop_share import loop_share
from domain.post import PostStatus
from store.models import IdempotencyKey
from store.posts.list_filters import Filter, Position
from store.posts.lists import find_ids, read_statuses
from store.queues.slots import remembering_full_slots

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


log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ManyPosts:
    """A request for many posts: who sends it, under which key, and how long it waits for outcomes."""

    deps: Dependencies
    workspace_id: str
    api_key_id: str
    key: str | None
    deadline: Deadline
    received_at: datetime

    @property
    def actor(self) -> Actor:
        """Return the actor of the change to each post."""
        return api_key(self.api_key_id)

    async def create(self, payload: JsonObject) -> Answer:
        """Create each post as POST /v1/posts does. Raises InvalidRequest, TooManyRequests, IdempotencyKeyReused."""
        async with loop_share(body_size(payload)):
            posts = [(sized(body), key) for body, key in read_create_many(payload)]

        def item(body: JsonObject, key: str | None) -> BulkCall:
            external_id = body.get("externalId")
            return BulkCall(
                partial(create, self.deps, self.workspace_id, self.actor, body, key, Deadline(0)),
                external_id=external_id if isinstance(external_id, str) else None,
            )

        return await self._once(payload, "", None, lambda *_: [item(body, key) for body, key in posts], len(posts))

    async def update(self, payload: JsonObject) -> Answer:
        """Change each post as PATCH /v1/posts/{postId} does. Raises as `create` does."""
        async with loop_share(body_size(payload)):
            changes, of_all, selection = read_update_many(payload)

        async def call(post_id: str, key: str | None) -> Answer:
            change = sized(changes.get(post_id, of_all))
            return await update_post(self._post_change(post_id, change, key, "PATCH /v1/posts/{postId}"), Deadline(0))

        return await self._change(payload, "update", list(changes), selection, call)

    async def delete(self, payload: JsonObject) -> Answer:
        """Delete each post as DELETE /v1/posts/{postId} does. Raises as `create` does."""

        async def call(post_id: str, key: str | None) -> Answer:
            change = self._post_change(post_id, {}, key, "DELETE /v1/posts/{postId}")
            return await delete(change, self.received_at)

        return await self._change(payload, "delete", *read_select_many(payload), call)

    async def retry(self, payload: JsonObject) -> Answer:
        """Retry what failed of each post as POST /v1/posts/{postId}/retry does. Raises as `create` does."""

        async def call(post_id: str, key: str | None) -> Answer:
            return await retry(self._post_change(post_id, {}, key, "POST /v1/posts/{postId}/retry"), Deadline(0))

        return await self._change(payload, "retry", *read_select_many(payload), call)

    def _post_change(self, post_id: str, payload: JsonObject, key: str | None, route: str) -> PostChange:
        return PostChange.from_route(self.deps, self.workspace_id, self.actor, post_id, payload, key, route)

    async def _change(
        self,
        payload: JsonObject,
        action: str,
        post_ids: list[str],
        selection: Filter | None,
        call: Callable[[str, str | None], Awaitable[Answer]],
    ) -> Answer:
        def items(bulk_id: str, matching_ids: Sequence[str]) -> list[BulkCall]:
            # Each post's key is derived from this use of the request's key: only a repeat gets the same one.
            return [
                BulkCall(partial(call, post_id, self.key and f"{bulk_id}/{post_id}"), post_id)
                for post_id in (matching_ids if selection else post_ids)
            ]

        return await self._once(payload, f"/{action}", selection, items, len(post_ids))

    async def _once(
        self,
        payload: JsonObject,
        action: str,
        selection: Filter | None,
        items: Callable[[str, Sequence[str]], Sequence[BulkCall]],
        count: int,
    ) -> Answer:
        """Answer as the first request with this key was answered, or continue with what that one has not done.

        `selection` finds the posts of a request that has no list of them.
        """
        deps, request = self.deps, keyed_request(self.workspace_id, self.key, payload, f"POST /v1/posts/bulk{action}")
        first_id = new_id("bulk")

        async def answer(bulk_id: str, matching_ids: Sequence[str]) -> Answer:
            with remembering_full_slots():
                results = await answer_each(items(bulk_id, matching_ids[:MOST_POSTS]))
            is_final = not is_worth_repeating(results)
            await wait_for_outcomes(deps, self.workspace_id, results, self.deadline)
            has_more = len(matching_ids) > MOST_POSTS
            cursor = cursor_after(Position(matching_ids[MOST_POSTS - 1])) if has_more else None
            log.info("bulk", action=action or "/create", posts=len(results))
            return replace(_answer(results, cursor), waited=True, to_keep=is_final)

        async def work() -> Answer:
            matching_ids = await self._find(selection)
            await deps.request_limits.take_posts(self.workspace_id, len(matching_ids[:MOST_POSTS]) or count)
            if request is not None:
                async with deps.database.transaction() as session:
                    await take_key(session, request, first_id, post_ids=matching_ids if selection else None)
            return await answer(first_id, matching_ids)

        async def follow(use: IdempotencyKey) -> Answer:
            matching_ids = use.post_ids or []
            await deps.request_limits.take_posts(self.workspace_id, len(matching_ids[:MOST_POSTS]) or count)
            return await answer(use.post_id, matching_ids)

        return await once(deps, request, first_id, work, follow, is_costly=True)

    async def _find(self, selection: Filter | None) -> list[str]:
        if selection is None:
            return []
        async with self.deps.database.reading() as session:
            return await find_ids(session, self.workspace_id, selection, MOST_POSTS + 1)


def _answer(results: list[BulkItemView], cursor: str | None) -> Answer:
    failed = sum("error" in item for item in results)
    return answer_view(
        BulkResultView(
            total=len(results),
            succeeded=len(results) - failed,
            failed=failed,
            results=results,
            cursor=cursor,
            hasMore=cursor is not None,
        )
    )


FILES_BEGIN_WITHIN_S = 30.0
"""Seconds after which no further post's files are checked. A check takes 25, and proxies usually give up after 60."""
_NO_TIME = Problem(
    "There was no time to check the files of this post: validate it with fewer others", "media_not_checked"
)


async def validate_many(deps: Dependencies, workspace_id: str, payload: JsonObject) -> Answer:
    """Answer with the verdict on each post, in their order. Raises InvalidRequest, TooManyRequests."""
    async with loop_share(body_size(payload)):
        bodies: list[JsonObject] = [sized(body) for body, _ in read_create_many(payload, ValidateManyBody)]
    await deps.request_limits.take_posts(workspace_id, len(bodies))
    if not payload.get(CHECK_MEDIA):
        return _answer_verdicts(bodies, await _verdicts(deps, workspace_id, bodies, None))
    end = asyncio.get_running_loop().time() + FILES_BEGIN_WITHIN_S

    async def files(content: PostContent) -> tuple[list[Problem], list[Problem]]:
        if asyncio.get_running_loop().time() > end and platforms_with_files(content):
            return [], [_NO_TIME]
        return await check_files(deps, workspace_id, content, nullcontext())

    # The request has one place among the checks, whose posts are checked one after the other.
    with deps.checks.take(workspace_id):
        return _answer_verdicts(bodies, await _verdicts(deps, workspace_id, bodies, files))


async def _verdicts(
    deps: Dependencies, workspace_id: str, bodies: list[JsonObject], files: FileCheck | None
) -> list[Verdict]:
    with remembering_full_slots():
        return [await find_verdict(deps, workspace_id, body, files, []) for body in bodies]


def _answer_verdicts(bodies: list[JsonObject], verdicts: list[Verdict]) -> Answer:
    failed = sum(bool(verdict.errors) for verdict in verdicts)
    return answer_view(
        BulkVerdictView(
            total=len(verdicts),
            succeeded=len(verdicts) - failed,
            failed=failed,
            results=[_item_verdict(at, body, verdicts[at]) for at, body in enumerate(bodies)],
        )
    )


def _item_verdict(position: int, body: JsonObject, verdict: Verdict) -> ItemVerdictView:
    item = ItemVerdictView(
        position=position,
        valid=not verdict.errors,
        errors=[problem_view(problem) for problem in verdict.errors[:MOST_PROBLEMS]],
        warnings=[problem_view(problem) for problem in verdict.warnings[:MOST_PROBLEMS]],
    )
    if isinstance(external_id := body.get("externalId"), str):
        item["externalId"] = external_id
    return item
