"""Answer a request for many posts once for its Idempotency-Key, and each of its posts once for a key of its own."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

import structlog

from api.bulk.answers import BulkCall, answer_each, is_worth_repeating, wait_for_outcomes
from api.bulk.bodies import (
    MOST_POSTS,
    BulkItemView,
    BulkResultView,
    read_create_many,
    read_select_many,
    read_update_many,
)
from api.dependencies import Dependencies
from api.http.body import JsonObject, body_size, sized
from api.posts.answers.answer import Answer, answer_view
from api.posts.changes import create, delete_post, retry, update
from api.posts.changes.post_change import PostChange
from api.posts.listing import cursor_after
from api.posts.once import keyed_request, once, take_key
from api.shared.waiting import Deadline
from domain.audit import Actor, api_key
from domain.ids import new_id
from domain.loop_share import loop_share
from store.models import IdempotencyKey
from store.posts.list_filters import Filter, Position
from store.posts.lists import find_ids
from store.queues.slots import remembering_full_slots

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
                partial(create.create, self.deps, self.workspace_id, self.actor, body, key, Deadline(0)),
                external_id=external_id if isinstance(external_id, str) else None,
            )

        return await self._once(payload, "", None, lambda *_: [item(body, key) for body, key in posts], len(posts))

    async def update(self, payload: JsonObject) -> Answer:
        """Change each post as PATCH /v1/posts/{postId} does. Raises as `create` does."""
        async with loop_share(body_size(payload)):
            changes, of_all, selection = read_update_many(payload)

        async def call(post_id: str, key: str | None) -> Answer:
            change = sized(changes.get(post_id, of_all))
            return await update.update_post(
                self._post_change(post_id, change, key, "PATCH /v1/posts/{postId}"), Deadline(0)
            )

        return await self._change(payload, "update", list(changes), selection, call)

    async def delete(self, payload: JsonObject) -> Answer:
        """Delete each post as DELETE /v1/posts/{postId} does. Raises as `create` does."""

        async def call(post_id: str, key: str | None) -> Answer:
            change = self._post_change(post_id, {}, key, "DELETE /v1/posts/{postId}")
            return await delete_post.delete(change, self.received_at)

        return await self._change(payload, "delete", *read_select_many(payload), call)

    async def retry(self, payload: JsonObject) -> Answer:
        """Retry what failed of each post as POST /v1/posts/{postId}/retry does. Raises as `create` does."""

        async def call(post_id: str, key: str | None) -> Answer:
            return await retry.retry(self._post_change(post_id, {}, key, "POST /v1/posts/{postId}/retry"), Deadline(0))

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
