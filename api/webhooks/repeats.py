"""Requests about webhooks that are done once for their Idempotency-Key, and the secrets that a repeat gets again.

No secret is stored where the API could read it. A request with an Idempotency-Key makes its secret of the caller's API
key and of a random text, and only the text is stored, as long as the Idempotency-Key is valid. So a repeat of the
request makes the same secret again, and neither the database nor the API key alone is enough for it.
"""

import hmac
import json
import secrets
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import sha256
from typing import Self

from sqlalchemy.ext.asyncio import AsyncSession

from api.auth import request_key
from api.dependencies import Dependencies
from api.http.body import JsonObject
from api.http.headers import HttpRequest
from api.posts.changes.idempotency import EXPIRED, find_use, keyed_request
from domain.errors import Conflict, Problem, Unavailable
from domain.webhooks import derive_secret, new_secret
from store.posts.idempotency import KeyedRequest, acquire_key, complete_key

DELETED = Problem("The webhook of this Idempotency-Key was deleted; a new request needs a new key", "conflict")
_OTHER_CALLER = Problem(
    "The secret is for the API key of the first request alone: repeat it with that key, or replace the secret",
    "conflict",
)


@dataclass(frozen=True, slots=True)
class DoneRequest:
    """The effect of a request: on which webhook, and what its answer has besides the webhook's row."""

    webhook_id: str
    result: JsonObject
    is_replay: bool = False


@dataclass(frozen=True, slots=True)
class WebhookRequest:
    """A client's request to change something. `keyed` names the use of its Idempotency-Key; None without a key."""

    deps: Dependencies
    workspace_id: str
    api_key: str = field(repr=False)
    keyed: KeyedRequest | None

    @classmethod
    def from_route(
        cls,
        deps: Dependencies,
        workspace_id: str,
        request: HttpRequest,
        payload: JsonObject,
        key: str | None,
        route: str,
    ) -> Self:
        """Return the request that a method and a path ask for with this body."""
        return cls(deps, workspace_id, request_key(request), keyed_request(workspace_id, key, payload, route))

    async def known(self) -> DoneRequest | None:
        """Return what an earlier request with this key did. Raises IdempotencyKeyReused."""
        if self.keyed is None:
            return None
        async with self.deps.database.reading() as session:
            use = await find_use(session, self.keyed)
        if use is None or use.response_body is None:
            return None
        return DoneRequest(use.post_id, json.loads(use.response_body), is_replay=True)

    async def do_once(self, webhook_id: str, change: Callable[[AsyncSession], Awaitable[JsonObject]]) -> DoneRequest:
        """Do a change, unless a request with this key has done it, and keep its result in the same transaction.

        Raises IdempotencyKeyReused, Unavailable, and what `change` raises.
        """
        async with self.deps.database.transaction() as session:
            if self.keyed is None:
                return DoneRequest(webhook_id, await change(session))
            # Waits for the transaction of another request with this key.
            if await acquire_key(session, self.keyed, webhook_id, datetime.now(UTC), None) is not None:
                result = await change(session)
                await complete_key(session, self.keyed, 200, json.dumps(result).encode())
                return DoneRequest(webhook_id, result)
        done = await self.known()
        if done is None:
            raise Unavailable(EXPIRED)
        return done

    def new_secret(self) -> tuple[str, JsonObject]:
        """Return a secret, and what a repeat needs to make it again."""
        if self.keyed is None:
            return new_secret(), {}
        seed = secrets.token_hex(32)
        secret = derive_secret(self.api_key, seed)
        return secret, {"seed": seed, "secretSha256": sha256(secret.encode()).hexdigest()}

    def secret(self, result: JsonObject) -> str:
        """Return the secret that a request with this key has made. Raises Conflict."""
        secret = derive_secret(self.api_key, result["seed"])
        if not hmac.compare_digest(sha256(secret.encode()).hexdigest(), result["secretSha256"]):
            raise Conflict(_OTHER_CALLER)
        return secret
