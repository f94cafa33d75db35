"""The endpoints under /v1/posts/bulk."""

from collections.abc import Awaitable, Callable

from litestar import Controller, Response
from pydantic import BaseModel

from api.auth import AUTHENTICATED, WorkspaceId
from api.bulk.actions import ManyPosts, validate_many
from api.bulk.bodies import (
    MOST_POSTS,
    BulkResultView,
    BulkVerdictView,
    CreateManyBody,
    SelectManyBody,
    UpdateManyBody,
    ValidateManyBody,
    read_create_many,
    read_select_many,
    read_update_many,
)
from api.dependencies import Dependencies, Deps
from api.http.body import JsonObject
from api.http.headers import HttpRequest, preferred_wait
from api.http.operation import Operation
from api.http.parameters import KEY_OF_MANY, PREFER, required
from api.http.request import BodyCheck, read_keyed_request, read_request
from api.posts.answers.rendering import Answer, respond

_MANY = (
    f"At most {MOST_POSTS} posts a request: if more match, `hasMore` is true and `cursor` leads to the next. A "
    "problem of one post is in its own result, and the others are processed. Each counts as a post of the workspace."
)


def _many_changed(verb: str, rule: str, body: type[BaseModel]) -> Operation:
    """Return an operation that does the same to each of many posts as `rule` says."""
    return Operation(
        route=f"POST /v1/posts/bulk/{verb}",
        description=f"{rule} {_MANY}",
        answer=BulkResultView,
        errors=("wrongValue",),
        body=body,
        parameters=(required(KEY_OF_MANY), PREFER),
    )


class BulkEndpoints(Controller):
    """Endpoints for requests that concern many posts of the caller's workspace."""

    dependencies = AUTHENTICATED

    @Operation(
        route="POST /v1/posts/bulk",
        description=(
            f"Up to {MOST_POSTS} posts, each as `POST /v1/posts` creates it: a problem of one is in its own result, "
            "and the others are created. Each needs an `externalId` or an `idempotencyKey`, so that the same request, "
            "or one with its mistakes corrected, can be sent again and creates only what is missing. The answer waits "
            "once for the outcome of all that are published now. Each counts as a post of the workspace."
        ),
        answer=BulkResultView,
        errors=("keyRequired", "wrongValue"),
        body=CreateManyBody,
        parameters=(KEY_OF_MANY, PREFER),
    )
    async def create_posts(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Create many posts."""
        return await _answer(request, workspace_id, deps, read_create_many, ManyPosts.create)

    @Operation(
        route="POST /v1/posts/bulk/validate",
        description=(
            f"The body that creates them, of up to {MOST_POSTS} posts. Returns for each what `POST /v1/posts/validate` "
            "returns, in the order of the request. Each counts as a post of the workspace."
        ),
        answer=BulkVerdictView,
        errors=("keyRequired", "wrongValue"),
        body=ValidateManyBody,
    )
    async def validate_posts(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Check many posts without creating them."""
        payload = await read_request(request)
        return respond(await validate_many(deps, workspace_id, payload))

    @_many_changed(
        "update",
        "Each as `PATCH /v1/posts/{postId}` changes it: either `posts`, each with its own fields, or the same `change` "
        "for all that match a `filter`.",
        UpdateManyBody,
    )
    async def update_posts(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Change many posts, or correct their failed targets."""
        return await _answer(request, workspace_id, deps, read_update_many, ManyPosts.update)

    @_many_changed("delete", "Each as `DELETE /v1/posts/{postId}` deletes it.", SelectManyBody)
    async def delete_posts(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Delete many posts."""
        return await _answer(request, workspace_id, deps, read_select_many, ManyPosts.delete)

    @_many_changed(
        "retry", "Each as `POST /v1/posts/{postId}/retry` retries all of its failed targets.", SelectManyBody
    )
    async def retry_posts(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Retry many posts."""
        return await _answer(request, workspace_id, deps, read_select_many, ManyPosts.retry)


async def _answer(
    request: HttpRequest,
    workspace_id: str,
    deps: Dependencies,
    check_body: BodyCheck,
    act: Callable[[ManyPosts, JsonObject], Awaitable[Answer]],
) -> Response[bytes]:
    payload, key = await read_keyed_request(request, check_body)
    with deps.waiting.deadline(workspace_id, preferred_wait(request)) as deadline:
        many = ManyPosts(deps, workspace_id, request.state.caller.key_id, key, deadline, request.state.received_at)
        answer = await act(many, payload)
    return respond(answer, deadline)
