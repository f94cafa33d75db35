"""One change of a post that a client asks for: made once for its Idempotency-Key, under the lock of the post's row."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.http.body import JsonObject
from api.posts.answers.answer import Answer
from api.posts.changes.idempotency import DELETED, EXPIRED, KeyTakenError, find_use, keep, keyed_request, take_key
from api.posts.lookup import require_post
from domain.audit import Actor
from domain.errors import Conflict, NotFound, Unavailable
from store.models import IdempotencyKey, Post
from store.posts.idempotency import KeyedRequest


@dataclass(frozen=True, slots=True)
class PostChange:
    """A client's request to change one post. `request` names the use of its Idempotency-Key; None without a key."""

    deps: Dependencies
    workspace_id: str
    actor: Actor
    post_id: str
    payload: JsonObject
    request: KeyedRequest | None

    @classmethod
    def from_route(
        cls,
        deps: Dependencies,
        workspace_id: str,
        actor: Actor,
        post_id: str,
        payload: JsonObject,
        key: str | None,
        route: str,
    ) -> "PostChange":
        """Return the change that an operation's route on the post asks for with this body."""
        request = keyed_request(workspace_id, key, payload, route.replace("{postId}", post_id))
        return cls(deps, workspace_id, actor, post_id, payload, request)

    async def answer_once(
        self, change: Callable[[], Awaitable[Answer]], follow: Callable[[IdempotencyKey], Awaitable[Answer]]
    ) -> Answer:
        """Answer the request, or as the first request with its key was answered.

        `change` makes the change, which begins with `locked_post`, and answers. `follow` answers in place of a first
        request that has not answered, and may never do so because its process died; what that one has changed stays.
        Raises IdempotencyKeyReused, Conflict, TooManyRequests, Unavailable and what the two raise.
        """
        with self.deps.repeats.answering(self.request):
            try:
                answer = await change()
            except KeyTakenError:
                if self.request is None:
                    raise
                return await self._repeat(self.request, follow)
            return await keep(self.deps, self.request, self.post_id, answer)

    async def _repeat(self, request: KeyedRequest, follow: Callable[[IdempotencyKey], Awaitable[Answer]]) -> Answer:
        async def read_use() -> IdempotencyKey | None:
            async with self.deps.database.reading() as session:
                return await find_use(session, request)

        known = await self.deps.repeats.share(request, "use", read_use)
        if known is None:
            raise Unavailable(EXPIRED, retry_after=1)
        if known.response_body is not None:
            return Answer(known.response_status or 200, known.response_body, replayed=True)
        try:
            answer = await keep(self.deps, request, self.post_id, await follow(known))
        except NotFound as error:
            raise Conflict(DELETED) from error
        return Answer(answer.status, answer.body, replayed=True, waited=answer.waited)

    @asynccontextmanager
    async def locked_post(self, *, revision_id: str | None = None) -> AsyncIterator[tuple[AsyncSession, Post]]:
        """Open the transaction of the change: it takes the key and holds the post's row until the block ends.

        `revision_id` is as in `api.posts.changes.idempotency.take_key`. Raises KeyTakenError, NotFound.
        """
        async with self.deps.database.transaction() as session:
            await take_key(session, self.request, self.post_id, revision_id=revision_id)
            yield session, await require_post(session, self.workspace_id, self.post_id, lock=True)
