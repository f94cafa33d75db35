"""The endpoints under /v1/posts: read the request, call what does it, write the answer."""

from litestar import Controller, Response
from litestar.params import FromPath

from api.auth import AUTHENTICATED, WorkspaceId, request_actor
from api.dependencies import Dependencies, Deps
from api.endpoint import Endpoint
from api.http.headers import HttpRequest, idempotency_key, preferred_wait
from api.http.moments import now_ms
from api.http.operation import WITH_BODY, Operation, served_operation
from api.http.parameters import KEY, PREFER, page
from api.http.query import Query
from api.http.request import BodyCheck, read_keyed_request, read_request
from api.posts.answers.rendering import answer_post, answer_posts, answer_view, render_attempts, respond
from api.posts.answers.views import AttemptsView, DeletedView, PageView, PostView, VerdictView
from api.posts.bodies.parse_patch import check_change
from api.posts.bodies.parse_post import read_create
from api.posts.bodies.schemas import EditBody, PatchBody, PostBody, ResolveBody, RetryBody, ValidateBody
from api.posts.changes.create import create
from api.posts.changes.post_change import PostChange, delete, read_resolution, read_retry, resolve, retry
from api.posts.changes.update import edit, read_edit, update_post
from api.posts.counts import MOST_COUNTED, MOST_DAYS, CountsView, count, read_counts_query
from api.posts.history import DeletionsView, HistoryView, history, list_deleted
from api.posts.listing import COUNTS, LIST, cursor_after, read_history_cursor, read_list_query, read_number
from api.posts.lookup import require_post, require_shown_post
from api.posts.validate import validate
from store.posts.lists import list_posts
from store.publishing.targets import list_attempts

_SHAPE = ("missingField", "wrongValue", "duplicateTarget", *WITH_BODY)
_KEYED = ("keyReused", "deletedSince")
_RULES = ("platformRule", "accountNotFound", "unknownSetting", "queueFull", "queueUnknown", "ambiguousQueue")
_CHAIN = ("afterUnknown", "chainCircle", "chainTooLong", "afterFailed")
_CAMPAIGN = ("campaignUnknown", "outsideWindow", "campaignEnded")

PostId = FromPath[str]


class PostEndpoints(Controller):
    """Endpoints for the posts of the caller's workspace."""

    dependencies = AUTHENTICATED

    @Operation(
        route="POST /v1/posts",
        answer=PostView,
        errors=(*_SHAPE, *_RULES, *_CAMPAIGN, *_CHAIN, "paused", *_KEYED, "externalIdTaken"),
        status=201,
        other_status=200,
        body=PostBody,
        parameters=(KEY, PREFER),
        writes_post=True,
    )
    async def create_post(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Create and optionally publish a post.

        `publishNow` publishes immediately and waits for the outcome on every platform; `scheduledFor` publishes at that
        time, never early, and `queue` in the first free slot of a queue; otherwise the post is a draft. Shape errors
        (400) are listed together; if there are none, all that platforms and accounts would refuse (422). A repeat of a
        body with an `externalId` is answered 200 with the existing post and `Idempotent-Replayed`.
        """
        payload, key = await read_keyed_request(request, lambda body: read_create(body, now_ms()))
        with deps.waiting.deadline(workspace_id, preferred_wait(request)) as deadline:
            answer = await create(deps, workspace_id, request_actor(request), payload, key, deadline)
        return respond(answer, deadline)

    @Endpoint(route="GET /v1/posts", answer=PageView, errors=("wrongQuery",), parameters=LIST, reads_query=False)
    async def list_posts(self, request: HttpRequest, workspace_id: str, deps: Dependencies) -> Response[bytes]:
        """List posts.

        Newest first, unless `sort` says otherwise. Pages neither skip nor repeat a post while posts are being added. A
        page holds fewer posts than `limit` if it would be larger than 4 MiB; `hasMore` is then true.
        """
        query, limit = read_list_query(request)
        page = await list_posts(deps.database, workspace_id, query, limit)
        cursor = cursor_after(page.last) if page.last else None
        return respond(answer_posts(page.posts, cursor))

    @Endpoint(
        route="GET /v1/posts/counts",
        description=(
            "The numbers of the posts that `GET /v1/posts` lists for the same filters: in all, and of each status, "
            f"platform or day. To count by a day, give the first and the last one: at most {MOST_DAYS} days. At most "
            f"{MOST_COUNTED:,} posts may match."
        ),
        answer=CountsView,
        errors=("wrongQuery",),
        parameters=COUNTS,
        reads_query=False,
    )
    async def count_posts(self, request: HttpRequest, workspace_id: str, deps: Dependencies) -> Response[bytes]:
        """Count posts."""
        query = read_counts_query(request)
        return respond(answer_view(await count(deps, workspace_id, query)))

    @Endpoint(
        route="GET /v1/posts/deleted",
        answer=DeletionsView,
        errors=("wrongQuery",),
        parameters=page("posts"),
        readers={"cursor": read_number},
    )
    async def list_deleted_posts(self, query: Query, workspace_id: str, deps: Dependencies) -> Response[bytes]:
        """List deleted posts.

        Who deleted which posts, the last one first. It is kept for a year, or as long as the operator has set. The
        content of a deleted post is kept nowhere; `GET /v1/posts/{postId}/history` has what happened to it.
        """
        return respond(answer_view(await list_deleted(deps, workspace_id, query["cursor"] or 0, query["limit"])))

    @Operation(route="POST /v1/posts/validate", answer=VerdictView, body=ValidateBody)
    async def validate_post(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Check a post without creating it.

        Returns the problems that creating it would return. For drafts, refusals by platforms are warnings. With
        `checkMedia` the files are checked too, if nothing else is wrong: fetched, and compared with the platforms'
        rules.
        """
        return respond(await validate(deps, workspace_id, await read_request(request)))

    @Endpoint(route="GET /v1/posts/{postId}", answer=PostView, errors=("notFound",))
    async def get_post(self, post_id: str, workspace_id: str, deps: Dependencies) -> Response[bytes]:
        """Get one post.

        With all details, and the status of each target.
        """
        return respond(answer_post(await require_shown_post(deps.database, workspace_id, post_id)))

    @Operation(
        route="PATCH /v1/posts/{postId}",
        answer=PostView,
        errors=(*_SHAPE, *_RULES, *_CAMPAIGN, *_CHAIN, "notFound", "publishingHasBegun", "paused", *_KEYED),
        body=PatchBody,
        parameters=(KEY, PREFER),
        writes_post=True,
    )
    async def update_post(
        self, request: HttpRequest, post_id: PostId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Change a post, or correct its failed targets.

        Any field of the create body; a field that is left out stays as it is, in each entry of `platforms` too. A new
        `scheduledFor` schedules or reschedules, a draft as well unless `isDraft` true is in the same body; `shiftBy`
        moves the time it has; `queue` gives it the first free slot of a queue; `publishNow` true publishes and keeps
        the planned time as `plannedFor`; `isDraft` true takes a post off the schedule. A new `timezone` alone moves a
        time that was given without an offset. `null` is refused except for `scheduledFor`, for `campaignId`, which
        takes the post out of its campaign, for `after`, which ends its waiting, and for a target's `customContent` and
        `customMedia`, which it removes. The body of an answer can be sent back: read-only fields are ignored if they
        equal the post's. Once publishing has begun, only targets that have failed or wait can be changed: a failed one
        sends the change when it is retried, and `platforms` names those to correct; before, it is the whole list, and a
        target that it does not name is removed. A change of a target that is public, may be public or is being
        published is 409. If a target is held and nothing was sent, publishing starts again with the change.
        """
        change = await _read_change(request, post_id, workspace_id, deps, check_change)
        with deps.waiting.deadline(workspace_id, preferred_wait(request)) as deadline:
            answer = await update_post(change, deadline)
        return respond(answer, deadline)

    @Endpoint(
        route="DELETE /v1/posts/{postId}",
        answer=DeletedView,
        errors=("unknownField", "invalidJson", "notFound", "isPublishing", "tooLarge", "notJson", *_KEYED),
        parameters=(KEY,),
        writes_post=True,
    )
    async def delete_post(
        self, request: HttpRequest, post_id: str, workspace_id: str, deps: Dependencies
    ) -> Response[bytes]:
        """Delete a post.

        Removes the post from this service. A scheduled post is certainly not published afterwards; if it is being
        published, or was published after the request had come, it is not removed, and the answer is 409. A published
        one stays on the platforms, and the answer has its `status`.
        """
        key, route = idempotency_key(request), served_operation(request).route
        change = PostChange.from_route(deps, workspace_id, request_actor(request), post_id, {}, key, route)
        return respond(await delete(change, request.state.received_at))

    @Operation(
        route="POST /v1/posts/{postId}/edit",
        answer=PostView,
        errors=(
            "missingField",
            "notEditable",
            "noPremium",
            "windowClosed",
            "limitReached",
            "textOnly",
            "notFound",
            *_KEYED,
        ),
        body=EditBody,
        parameters=(KEY, PREFER),
        writes_post=True,
    )
    async def edit_post(
        self, request: HttpRequest, post_id: PostId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Edit a published tweet.

        Only on X, with X Premium, within 1 hour of being published, at most 5 times, and only the text. An edit gives
        the tweet a new id and keeps its pictures or video; earlier versions stay in `editHistory`.
        """
        change = await _read_change(request, post_id, workspace_id, deps, read_edit)
        with deps.waiting.deadline(workspace_id, preferred_wait(request)) as deadline:
            answer = await edit(change, deadline)
        return respond(answer, deadline)

    @Operation(
        route="POST /v1/posts/{postId}/retry",
        answer=PostView,
        errors=("wrongValue", "targetNotFound", "notFound", "nothingToRetry", "paused", *_KEYED),
        body=RetryBody,
        body_required=False,
        parameters=(KEY, PREFER),
        writes_post=True,
    )
    async def retry_post(
        self, request: HttpRequest, post_id: PostId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Retry the platforms that failed.

        Without a body all failed targets are tried again, with `platforms` only the named ones. Published targets are
        skipped. Unconfirmed ones are looked for on their platform first, and never sent again blindly. If a platform
        refused the content, correct it by PATCH first.
        """
        change = await _read_change(request, post_id, workspace_id, deps, read_retry)
        with deps.waiting.deadline(workspace_id, preferred_wait(request)) as deadline:
            answer = await retry(change, deadline)
        return respond(answer, deadline)


class OutcomeEndpoints(Controller):
    """Endpoints for the outcome of the posts of the caller's workspace."""

    dependencies = AUTHENTICATED

    @Endpoint(
        route="GET /v1/posts/{postId}/attempts",
        answer=AttemptsView,
        errors=("wrongQuery", "notFound"),
        parameters=page("attempts"),
        readers={"cursor": read_number},
    )
    async def list_attempts(self, query: Query, post_id: str, workspace_id: str, deps: Dependencies) -> Response[bytes]:
        """List a post's attempts.

        Every step towards the platforms with its times, the platform's answer and the decision on it.
        """
        after_id, limit = query["cursor"] or 0, query["limit"]
        async with deps.database.reading() as session:
            await require_post(session, workspace_id, post_id)
            attempts = await list_attempts(session, post_id, limit + 1, after_id)
        page, more = attempts[:limit], len(attempts) > limit
        cursor = cursor_after(page[-1][0].id) if more else None
        return respond(answer_view(render_attempts(page, cursor)))

    @Endpoint(
        route="GET /v1/posts/{postId}/history",
        answer=HistoryView,
        errors=("wrongQuery", "notFound"),
        parameters=page("events"),
        readers={"cursor": read_history_cursor},
    )
    async def get_history(self, query: Query, post_id: str, workspace_id: str, deps: Dependencies) -> Response[bytes]:
        """List who did what to a post.

        Who created, changed, retried or deleted the post, the steps towards the platforms, and their outcome. It is
        kept for a year after the post, or as long as the operator has set. It holds the 500 newest actions of people.
        Of content it holds only the names of changed fields.
        """
        return respond(answer_view(await history(deps, workspace_id, post_id, query["cursor"], query["limit"])))

    @Operation(
        route="POST /v1/posts/{postId}/resolve",
        answer=PostView,
        errors=("missingField", "wrongValue", "targetNotFound", "notFound", "nothingToResolve", *_KEYED),
        body=ResolveBody,
        parameters=(KEY,),
        writes_post=True,
    )
    async def resolve_post(
        self, request: HttpRequest, post_id: PostId, workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Settle an unconfirmed target.

        If a platform's answer was lost and the service cannot confirm the post, report what you found there. A target
        that is `not_published` can be retried. `platformPostId` may be the address of the post's page. A report can be
        corrected in the same way for 7 days, unless the target was retried since.
        """
        change = await _read_change(request, post_id, workspace_id, deps, read_resolution)
        return respond(await resolve(change))


async def _read_change(
    request: HttpRequest, post_id: str, workspace_id: str, deps: Dependencies, check_body: BodyCheck
) -> PostChange:
    payload, key = await read_keyed_request(request, check_body)
    route = served_operation(request).route
    return PostChange.from_route(deps, workspace_id, request_actor(request), post_id, payload, key, route)
