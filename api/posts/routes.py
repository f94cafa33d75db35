"""The endpoints under /v1/posts: read the request, call what does it, write the answer."""

from litestar import Controller, Response
from litestar.params import FromPath

from api.auth import AUTHENTICATED, WorkspaceId, request_actor
from api.dependencies import Dependencies, Deps
from api.http.headers import HttpRequest, preferred_wait
from api.http.operation import served_operation, serves
from api.http.query import read_query
from api.http.request import BodyCheck, read_bare_request, read_keyed_request, read_request
from api.posts import operations
from api.posts.answers.answer import answer_post, answer_posts, answer_view
from api.posts.answers.rendering import render_attempts
from api.posts.answers.response import respond
from api.posts.bodies.parse_patch import check_change
from api.posts.bodies.parse_post import read_create
from api.posts.changes import create, delete_post, edit, resolve, retry, update
from api.posts.changes.post_change import PostChange
from api.posts.clock import now_ms
from api.posts.counts import count, read_counts_query
from api.posts.deleted import list_deleted
from api.posts.history import history
from api.posts.listing import cursor_after, read_history_query, read_list_query, read_numbered_query
from api.posts.lookup import require_post, require_shown_post
from api.posts.validate import validate
from store.posts.lists import list_posts
from store.publishing.attempts import list_attempts

PostId = FromPath[str]


class PostEndpoints(Controller):
    """Endpoints for the posts of the caller's workspace."""

    dependencies = AUTHENTICATED

    @serves(operations.CREATE_POST)
    async def create_post(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Create and optionally publish a post."""
        payload, key = await read_keyed_request(request, lambda body: read_create(body, now_ms()))
        with deps.waiting.deadline(workspace_id, preferred_wait(request)) as deadline:
            answer = await create.create(deps, workspace_id, request_actor(request), payload, key, deadline)
        return respond(answer, deadline)

    @serves(operations.LIST_POSTS)
    async def list_posts(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """List posts."""
        query, limit = read_list_query(request)
        page = await list_posts(deps.database, workspace_id, query, limit)
        cursor = cursor_after(page.last) if page.last else None
        return respond(answer_posts(page.posts, cursor))

    @serves(operations.COUNT_POSTS)
    async def count_posts(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Count posts."""
        query = read_counts_query(request)
        return respond(answer_view(await count(deps, workspace_id, query)))

    @serves(operations.LIST_DELETED_POSTS)
    async def list_deleted_posts(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """List deleted posts."""
        before_id, limit = read_numbered_query(request)
        return respond(answer_view(await list_deleted(deps, workspace_id, before_id, limit)))

    @serves(operations.VALIDATE_POST)
    async def validate_post(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Check a post without creating it."""
        return respond(await validate(deps, workspace_id, await read_request(request)))

    @serves(operations.GET_POST)
    async def get_post(
        self, request: HttpRequest, post_id: PostId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Get one post."""
        read_query(request)
        return respond(answer_post(await require_shown_post(deps.database, workspace_id, post_id)))

    @serves(operations.UPDATE_POST)
    async def update_post(
        self, request: HttpRequest, post_id: PostId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Change a post, or correct its failed targets."""
        change = await _read_change(request, post_id, workspace_id, deps, check_change)
        with deps.waiting.deadline(workspace_id, preferred_wait(request)) as deadline:
            answer = await update.update_post(change, deadline)
        return respond(answer, deadline)

    @serves(operations.DELETE_POST)
    async def delete_post(
        self, request: HttpRequest, post_id: PostId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Delete a post."""
        key, operation = await read_bare_request(request), operations.DELETE_POST
        change = PostChange.from_operation(deps, workspace_id, request_actor(request), post_id, {}, key, operation)
        return respond(await delete_post.delete(change, request.state.received_at))

    @serves(operations.EDIT_POST)
    async def edit_post(
        self, request: HttpRequest, post_id: PostId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Edit a published tweet."""
        change = await _read_change(request, post_id, workspace_id, deps, edit.read_edit)
        with deps.waiting.deadline(workspace_id, preferred_wait(request)) as deadline:
            answer = await edit.edit(change, deadline)
        return respond(answer, deadline)

    @serves(operations.RETRY_POST)
    async def retry_post(
        self, request: HttpRequest, post_id: PostId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Retry the platforms that failed."""
        change = await _read_change(request, post_id, workspace_id, deps, retry.read_retry)
        with deps.waiting.deadline(workspace_id, preferred_wait(request)) as deadline:
            answer = await retry.retry(change, deadline)
        return respond(answer, deadline)


class OutcomeEndpoints(Controller):
    """Endpoints for the outcome of the posts of the caller's workspace."""

    dependencies = AUTHENTICATED

    @serves(operations.LIST_ATTEMPTS)
    async def list_attempts(
        self, request: HttpRequest, post_id: PostId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """List a post's attempts."""
        after_id, limit = read_numbered_query(request)
        async with deps.database.reading() as session:
            await require_post(session, workspace_id, post_id)
            attempts = await list_attempts(session, post_id, limit + 1, after_id)
        page, more = attempts[:limit], len(attempts) > limit
        cursor = cursor_after(page[-1][0].id) if more else None
        return respond(answer_view(render_attempts(page, cursor)))

    @serves(operations.GET_HISTORY)
    async def get_history(
        self, request: HttpRequest, post_id: PostId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """List who did what to a post."""
        after, limit = read_history_query(request)
        return respond(answer_view(await history(deps, workspace_id, post_id, after, limit)))

    @serves(operations.RESOLVE_POST)
    async def resolve_post(
        self, request: HttpRequest, post_id: PostId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Settle an unconfirmed target."""
        change = await _read_change(request, post_id, workspace_id, deps, resolve.read_resolution)
        return respond(await resolve.resolve(change))


async def _read_change(
    request: HttpRequest, post_id: str, workspace_id: str, deps: Dependencies, check_body: BodyCheck
) -> PostChange:
    payload, key = await read_keyed_request(request, check_body)
    operation = served_operation(request)
    return PostChange.from_operation(deps, workspace_id, request_actor(request), post_id, payload, key, operation)
