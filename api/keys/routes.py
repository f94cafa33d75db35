"""The endpoints under /v1/api-keys, and GET /v1/me."""

from datetime import UTC, datetime, timedelta
from importlib.metadata import version

from litestar import Controller, Response
from litestar.params import FromPath

from api.auth import AUTHENTICATED, WorkspaceId, request_caller, request_key
from api.dependencies import Dependencies, Deps
from api.http.cursors import encode_cursor
from api.http.headers import HttpRequest
from api.http.operation import Operation
from api.http.parameters import page
from api.http.query import read_id_page, read_query
from api.http.request import read_bare_request, read_body
from api.keys.actions import Issuer, create, key_view, moment_or_none, require_key, revoke, rotate
from api.keys.schemas import (
    CallerKeyView,
    CallerLimitsView,
    CallerView,
    CallerWorkspaceView,
    KeyBody,
    KeyPageView,
    KeyView,
    LimitView,
    NewKeyView,
    RotationBody,
    UsageView,
    WorkspaceUsageView,
    read_expiry,
)
from api.views import respond_privately
from domain.api_keys import in_order
from domain.request_limits import Standing
from domain.schedule import rfc3339
from store.uploads.rows import reserved_bytes
from store.workspaces.keys import list_page_of_keys, name_of_workspace


class KeyEndpoints(Controller):
    """The keys of the caller's workspace."""

    dependencies = AUTHENTICATED

    @Operation(route="GET /v1/me", answer=CallerView)
    async def get_caller(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Get what the key may do, and what its workspace uses.

        The workspace of the key, the key's scopes, what is left of its limits, and what the workspace uses. Every key
        may ask.
        """
        read_query(request)
        caller = request_caller(request)
        usage = await deps.usage.read(workspace_id)
        async with deps.database.reading() as session:
            name = await name_of_workspace(session, workspace_id)
            key = await require_key(session, workspace_id, caller.key_id)
            _, media_bytes = await reserved_bytes(session, workspace_id)
        requests, posts = await deps.request_limits.read(caller)
        return respond_privately(
            CallerView(
                workspace=CallerWorkspaceView(id=workspace_id, name=name or ""),
                key=CallerKeyView(
                    id=key.id, name=key.name, scopes=in_order(caller.scopes), expiresAt=moment_or_none(key.expires_at)
                ),
                limits=CallerLimitsView(requests=_limit_view(requests), posts=_limit_view(posts)),
                usage=WorkspaceUsageView(
                    openPosts=UsageView(used=usage.open_posts, limit=usage.limits.open_posts or None),
                    posts=UsageView(used=usage.posts, limit=usage.limits.posts or None),
                    bytes=UsageView(used=usage.bytes, limit=usage.limits.megabytes * 2**20 or None),
                    accounts=UsageView(used=usage.accounts, limit=usage.limits.accounts or None),
                    media=UsageView(used=media_bytes, limit=deps.upload_quota or None),
                ),
                version=version("socialsyncer"),
            )
        )

    @Operation(
        route="POST /v1/api-keys",
        answer=NewKeyView,
        errors=("missingField", "keyGivesMore", "keyOutlives", "keyFaster", "tooManyKeys"),
        status=201,
        body=KeyBody,
    )
    async def create_key(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """Create a key.

        The new key belongs to the workspace of the caller's key. It has no scope that the caller's lacks, ends no
        later, and may make no more requests. The answer is the only one with the key itself; if it is lost, revoke the
        key and create another.
        """
        body = await read_body(request, KeyBody)
        expires_at, issuer = read_expiry(body.expires_in_days, body.expires_at), _issuer(request, deps)
        created = await create(deps.database, issuer, body.name, body.scopes, expires_at, body.rate_per_minute)
        return respond_privately(created, 201)

    @Operation(route="GET /v1/api-keys", answer=KeyPageView, errors=("wrongQuery",), parameters=page("keys"))
    async def list_keys(self, request: HttpRequest, workspace_id: WorkspaceId, deps: Deps) -> Response[bytes]:
        """List the keys.

        Without the keys themselves, the newest first.
        """
        limit, before_id = read_id_page(request)
        async with deps.database.reading() as session:
            rows = await list_page_of_keys(session, workspace_id, limit + 1, before_id)
        cursor = encode_cursor({"id": rows[limit - 1].id}) if len(rows) > limit else None
        views = [key_view(row) for row in rows[:limit]]
        return respond_privately(KeyPageView(keys=views, cursor=cursor, hasMore=cursor is not None))

    @Operation(
        route="POST /v1/api-keys/{keyId}/rotate",
        answer=NewKeyView,
        errors=("keyGivesMore", "keyOutlives", "keyFaster", "keyNotFound", "keyEnded", "tooManyKeys"),
        status=201,
        body=RotationBody,
        body_required=False,
    )
    async def rotate_key(
        self, request: HttpRequest, key_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Replace a key.

        Creates a key of the same name, scopes and rate, which expires when the old one would have; the old one ends
        after the overlap. A key that is being replaced is not replaced again.
        """
        body = await read_body(request, RotationBody)
        overlap = timedelta(hours=body.overlap_hours)
        return respond_privately(await rotate(deps.database, _issuer(request, deps), key_id, overlap), 201)

    @Operation(route="DELETE /v1/api-keys/{keyId}", answer=KeyView, errors=("keyNotFound",))
    async def revoke_key(
        self, request: HttpRequest, key_id: FromPath[str], workspace_id: WorkspaceId, deps: Deps
    ) -> Response[bytes]:
        """Revoke a key.

        Every API process refuses it within 2 seconds. A key that is revoked already stays as it is. Only an operator
        revokes a key with a scope that the caller's lacks.
        """
        await read_bare_request(request)
        return respond_privately(await revoke(deps.database, _issuer(request, deps), key_id))


def _issuer(request: HttpRequest, deps: Dependencies) -> Issuer:
    return Issuer(request_caller(request), request_key(request), deps.request_limits.requests.limit)


def _limit_view(standing: Standing | None) -> LimitView | None:
    if standing is None:
        return None
    reset_at = rfc3339(datetime.now(UTC) + timedelta(seconds=standing.reset_s))
    policy = standing.policy
    return LimitView(limit=policy.limit, burst=policy.burst, remaining=standing.remaining, resetAt=reset_at)
