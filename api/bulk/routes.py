"""The endpoints under /v1/posts/bulk."""

from collections.abc import Awaitable, Callable

from litestar import Controller, Response

from api.auth import AUTHENTICATED, WorkspaceId
from api.bulk import operations
from api.bulk.bodies import read_create_many, read_select_many, read_update_many
from api.bulk.requests import ManyPosts
from api.bulk.validate import validate_many
from api.dependencies import Dependencies, Deps
from api.http.body import JsonObject
from api.http.headers import HttpRequest, preferred_wait
from api.http.operation import serves
from api.http.request import BodyCheck, read_keyed_request, read_request
from api.posts.answers.answer import Answer
from api.posts.answers.response import respond


class BulkEndpoints(Controller):
    """Endpoints for requests that concern many posts of the caller's workspace."""

    dependencies = AUTHENTICATED

    @serves(operations.CREATE_POSTS)
    async def create_posts(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Create many posts."""
        return await _answer(request, workspace_id, deps, read_create_many, ManyPosts.create)

    @serves(operations.VALIDATE_POSTS)
    async def validate_posts(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Check many posts without creating them."""
        payload = await read_request(request)
        return respond(await validate_many(deps, workspace_id, payload))

    @serves(operations.UPDATE_POSTS)
    async def update_posts(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Change many posts, or correct their failed targets."""
        return await _answer(request, workspace_id, deps, read_update_many, ManyPosts.update)

    @serves(operations.DELETE_POSTS)
    async def delete_posts(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Delete many posts."""
        return await _answer(request, workspace_id, deps, read_select_many, ManyPosts.delete)

    @serves(operations.RETRY_POSTS)
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
