"""The endpoints under /v1/api-keys, and GET /v1/me."""

from datetime import UTC, datetime, timedelta
from importlib.metadata import version

from litestar import Controller

from api.auth import AUTHENTICATED, request_caller, request_key
from api.dependencies import Dependencies
from api.endpoint import Endpoint
from api.http.headers import HttpRequest
from api.http.parameters import page
from api.http.query import Query, cut_page
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
from domain.api_keys import in_order
from domain.request_limits import Standing
from domain.schedule import rfc3339
from store.models import ApiKey
from store.rows import newest_rows
from store.uploads.rows import reserved_bytes
from store.workspaces.keys import name_of_workspace


class KeyEndpoints(Controller):
    """The keys of the caller's workspace."""

    dependencies = AUTHENTICATED

    @Endpoint(route="GET /v1/me")
    async def get_caller(self, request: HttpRequest, workspace_id: str, deps: Dependencies) -> CallerView:
        """Get what the key may do, and what its workspace uses.

        The workspace of the key, the key's scopes, what is left of its limits, and what the workspace uses. Every key
        may ask.
        """
        caller = request_caller(request)
        usage = await deps.usage.read(workspace_id)
        async with deps.database.reading() as session:
            name = await name_of_workspace(session, workspace_id)
            key = await require_key(session, workspace_id, caller.key_id)
            _, media_bytes = await reserved_bytes(session, workspace_id)
        requests, posts = await deps.request_limits.read(caller)
        return CallerView(
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

    @Endpoint(
        route="POST /v1/api-keys",
        errors=("missingField", "keyGivesMore", "keyOutlives", "keyFaster", "tooManyKeys"),
        status=201,
    )
    async def create_key(self, request: HttpRequest, body: KeyBody, deps: Dependencies) -> NewKeyView:
        """Create a key.

        The new key belongs to the workspace of the caller's key. It has no scope that the caller's lacks, ends no
        later, and may make no more requests. The answer is the only one with the key itself; if it is lost, revoke the
        key and create another.
        """
        expires_at, issuer = read_expiry(body.expires_in_days, body.expires_at), _issuer(request, deps)
        return await create(deps.database, issuer, body.name, body.scopes, expires_at, body.rate_per_minute)

    @Endpoint(route="GET /v1/api-keys", errors=("wrongQuery",), parameters=page("keys"))
    async def list_keys(self, query: Query, workspace_id: str, deps: Dependencies) -> KeyPageView:
        """List the keys.

        Without the keys themselves, the newest first.
        """
        async with deps.database.reading() as session:
            rows = await newest_rows(session, ApiKey, workspace_id, query["limit"] + 1, query["cursor"])
        keys, cursor = cut_page(rows, query["limit"])
        return KeyPageView(keys=[key_view(row) for row in keys], cursor=cursor, hasMore=cursor is not None)

    @Endpoint(
        route="POST /v1/api-keys/{keyId}/rotate",
        errors=("keyGivesMore", "keyOutlives", "keyFaster", "keyNotFound", "keyEnded", "tooManyKeys"),
        status=201,
        body_required=False,
    )
    async def rotate_key(self, request: HttpRequest, key_id: str, body: RotationBody, deps: Dependencies) -> NewKeyView:
        """Replace a key.

        Creates a key of the same name, scopes and rate, which expires when the old one would have; the old one ends
        after the overlap. A key that is being replaced is not replaced again.
        """
        return await rotate(deps.database, _issuer(request, deps), key_id, timedelta(hours=body.overlap_hours))

    @Endpoint(route="DELETE /v1/api-keys/{keyId}", errors=("keyNotFound",))
    async def revoke_key(self, request: HttpRequest, key_id: str, deps: Dependencies) -> KeyView:
        """Revoke a key.

        Every API process refuses it within 2 seconds. A key that is revoked already stays as it is. Only an operator
        revokes a key with a scope that the caller's lacks.
        """
        return await revoke(deps.database, _issuer(request, deps), key_id)


def _issuer(request: HttpRequest, deps: Dependencies) -> Issuer:
    return Issuer(request_caller(request), request_key(request), deps.request_limits.requests.limit)


def _limit_view(standing: Standing | None) -> LimitView | None:
    if standing is None:
        return None
    reset_at = rfc3339(datetime.now(UTC) + timedelta(seconds=standing.reset_s))
    policy = standing.policy
    return LimitView(limit=policy.limit, burst=policy.burst, remaining=standing.remaining, resetAt=reset_at)
