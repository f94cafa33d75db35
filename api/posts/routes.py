"""The endpoints under /v1/posts: read the request, call what does it, write the answer."""

from litestar import Controller, Response
from litestar.params import FromPath

from api.auth import AUTHENTICATED, WorkspaceId, request_actor
from api.dependencies import Deps
from api.http.headers import HttpRequest, preferred_wait
from api.http.operation import serves
from api.http.query import read_query
from api.http.request import read_bare_request, read_keyed_request, read_request
from api.posts.answers.answer import answer_post, answer_posts, answer_view
from api.posts.answers.rendering import render_attempts
from api.posts.answers.response import respond
from api.posts.bodies.parse_patch import check_change
from api.posts.bodies.parse_post import read_create
from api.posts.changes import create, delete_post, edit, resolve, retry, update
from api.posts.clock import now_ms
from api.posts.counts import count, read_counts_query
from api.posts.deleted import list_deleted
from api.posts.history import history
from api.posts.listing import cursor_after, read_history_query, read_list_query, read_numbered_query
from api.posts.lookup import require_post, require_shown_post
from api.posts.operations import (
    COUNT_POSTS,
    CREATE_POST,
    DELETE_POST,
    EDIT_POST,
    GET_HISTORY,
    GET_POST,
    LIST_ATTEMPTS,
    LIST_DELETED_POSTS,
    LIST_POSTS,
    RESOLVE_POST,
    RETRY_POST,
    UPDATE_POST,
    VALIDATE_POST,
)
from api.posts.validate import validate
from store.posts.lists import list_posts
from store.publishing.attempts import list_attempts

PostId = FromPath[str]


class PostEndpoints(Controller):
    """Endpoints for the posts of the caller's workspace."""

    dependencies = AUTHENTICATED

    @serves(CREATE_POST)
    async def create_post(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Create a post, and publish it if it is due."""
        await deps.restoring.require_finished()
        payload, key = await read_keyed_request(request, lambda body: read_create(body, now_ms()))
        with deps.waiting.deadline(workspace_id, preferred_wait(request)) as deadline:
            answer = await create.create(deps, workspace_id, request_actor(request), payload, key, deadline)
        return respond(answer, deadline)

    @serves(LIST_POSTS)
    async def list_posts(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Return a page of posts."""
        query, limit = read_list_query(request)
        page = await list_posts(deps.database, workspace_id, query, limit)
        cursor = cursor_after(page.last) if page.last else None
        return respond(answer_posts(page.posts, cursor))

    @serves(COUNT_POSTS)
    async def count_posts(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Return how many posts there are of each status, platform or day."""
        query = read_counts_query(request)
        return respond(answer_view(await count(deps, workspace_id, request.state.caller.key_id, query)))

    @serves(LIST_DELETED_POSTS)
    async def list_deleted_posts(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Return a page of the deleted posts, the last one first."""
        before_id, limit = read_numbered_query(request)
        return respond(answer_view(await list_deleted(deps, workspace_id, before_id, limit)))

    @serves(VALIDATE_POST)
    async def validate_post(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Return the problems and warnings that creating a post from this body would have."""
        return respond(await validate(deps, workspace_id, await read_request(request)))

    @serves(GET_POST)
    async def get_post(
        self, request: HttpRequest, post_id: PostId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Return one post."""
        read_query(request)
        return respond(answer_post(await require_shown_post(deps.database, workspace_id, post_id)))

    @serves(UPDATE_POST)
    async def update_post(
        self, request: HttpRequest, post_id: PostId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Change a draft or a scheduled post."""
        await deps.restoring.require_finished()
        payload, key = await read_keyed_request(request, check_change)
        with deps.waiting.deadline(workspace_id, preferred_wait(request)) as deadline:
            answer = await update.update_post(
                deps, workspace_id, request_actor(request), post_id, payload, key, deadline
            )
        return respond(answer, deadline)

    @serves(DELETE_POST)
    async def delete_post(
        self, request: HttpRequest, post_id: PostId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Remove a post from this service."""
        await deps.restoring.require_finished()
        key = await read_bare_request(request)
        return respond(await delete_post.delete(deps, workspace_id, request_actor(request), post_id, key))

    @serves(LIST_ATTEMPTS)
    async def list_attempts(
        self, request: HttpRequest, post_id: PostId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Return a page of the steps towards the platforms, oldest first."""
        after_id, limit = read_numbered_query(request)
        async with deps.database.reading() as session:
            await require_post(session, workspace_id, post_id)
            attempts = await list_attempts(session, post_id, limit + 1, after_id)
        page, more = attempts[:limit], len(attempts) > limit
        cursor = cursor_after(page[-1][0].id) if more else None
        return respond(answer_view(render_attempts(page, cursor)))

    @serves(GET_HISTORY)
    async def get_history(
        self, request: HttpRequest, post_id: PostId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Return a page of what happened to a post and who did it, oldest first."""
        after, limit = read_history_query(request)
        return respond(answer_view(await history(deps, workspace_id, post_id, after, limit)))

    @serves(RESOLVE_POST)
    async def resolve_post(
        self, request: HttpRequest, post_id: PostId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Record a person's finding about an unconfirmed target."""
        await deps.restoring.require_finished()
        payload, key = await read_keyed_request(request, resolve.read_resolution)
        return respond(await resolve.resolve(deps, workspace_id, request_actor(request), post_id, payload, key))

    @serves(EDIT_POST)
    async def edit_post(
        self, request: HttpRequest, post_id: PostId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Edit the text of a published tweet."""
        await deps.restoring.require_finished()
        payload, key = await read_keyed_request(request, edit.read_edit)
        with deps.waiting.deadline(workspace_id, preferred_wait(request)) as deadline:
            answer = await edit.edit(deps, workspace_id, request_actor(request), post_id, payload, key, deadline)
        return respond(answer, deadline)

    @serves(RETRY_POST)
    async def retry_post(
        self, request: HttpRequest, post_id: PostId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Publish again to the platforms that failed."""
        await deps.restoring.require_finished()
        payload, key = await read_keyed_request(request, retry.read_retry)
        with deps.waiting.deadline(workspace_id, preferred_wait(request)) as deadline:
            answer = await retry.retry(deps, workspace_id, request_actor(request), post_id, payload, key, deadline)
        return respond(answer, deadline)
