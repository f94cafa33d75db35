"""One change of a post that a client asks for: made once for its Idempotency-Key, under the lock of the post's row."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.http.body import JsonObject
from api.posts.answers.answer import Answer
from api.posts.lookup import require_post
from api.posts.once import Follow, Work, keyed_request, once, take_key
from domain.audit import Actor
from store.models import Post
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

    async def answer_once(self, change: Work, follow: Follow) -> Answer:
        """Answer the request once, as `api.posts.once.once` does: `change` begins with `locked_post`."""
        return await once(self.deps, self.request, self.post_id, change, follow)

    @asynccontextmanager
    async def locked_post(self, *, revision_id: str | None = None) -> AsyncIterator[tuple[AsyncSession, Post]]:
        """Open the transaction of the change: it takes the key and holds the post's row until the block ends.

        `revision_id` is as in `api.posts.once.take_key`. Raises KeyTakenError, NotFound.
        """
        async with self.deps.database.transaction() as session:
            await take_key(session, self.request, self.post_id, revision_id=revision_id)
            yield session, await require_post(session, self.workspace_id, self.post_id, lock=True)
