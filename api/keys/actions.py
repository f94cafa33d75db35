"""Issue keys, and describe them."""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncSession

from api.errors import Forbidden
from api.keys.schemas import KeyView, NewKeyView
from domain.api_keys import in_order
from domain.errors import Conflict, NotFound, Problem, Unprocessable
from domain.schedule import rfc3339
from store.database import Database
from store.models import ApiKey
from store.rows import find_row
from store.workspaces.keys import Caller, KeyWish, count_valid_keys, issue_key, revoke_key_for

MOST_KEYS = 200
"""Valid keys that a workspace may have if one more is created over the API."""
_UNKNOWN = Problem("This workspace has no such key", "not_found")
_ENDED = Problem("The key is revoked, has expired or is being replaced", "conflict")
_FASTER = Problem(
    "The key could make more requests than the one that creates it", "invalid_field_value", "ratePerMinute"
)
_OUTLIVES = Problem("The key would end after the one that creates it", "invalid_field_value", "expiresAt")


@dataclass(frozen=True, slots=True)
class Issuer:
    """The caller that issues a key. The database demands its key as it was sent."""

    caller: Caller
    key: str = field(repr=False)
    usual_rate: int
    """Requests a minute of keys without an own rate; 0 for any number."""

    def allow_rate(self, rate: int | None) -> int | None:
        """Return the rate of a new key as the database allows it to this caller. Raises Unprocessable."""
        own = self.caller.rate_per_minute
        if self._speed(rate) > self._speed(own):
            raise Unprocessable(_FASTER)
        if rate is None and own:
            return self.usual_rate
        return None if rate == 0 and own is None else rate

    def _speed(self, rate: int | None) -> float:
        return (self.usual_rate if rate is None else rate) or math.inf


async def create(
    database: Database,
    issuer: Issuer,
    name: str,
    scopes: Sequence[str],
    expires_at: datetime | None,
    rate_per_minute: int | None,
) -> NewKeyView:
    """Create a key; without a time or a rate it has the issuer's. Raises Forbidden, Unprocessable."""
    if expires_at is None:
        async with database.reading() as session:
            own = await find_row(session, ApiKey, issuer.caller.workspace_id, issuer.caller.key_id)
        expires_at = own.expires_at if own else None
    rate = issuer.caller.rate_per_minute if rate_per_minute is None else issuer.allow_rate(rate_per_minute)
    return await _issue(database, issuer, KeyWish(name, in_order(scopes), expires_at, rate))


async def rotate(database: Database, issuer: Issuer, key_id: str, overlap: timedelta) -> NewKeyView:
    """Create a key that replaces another one. Raises NotFound, Conflict, Forbidden, Unprocessable."""
    async with database.reading() as session:
        old = await require_key(session, issuer.caller.workspace_id, key_id)
    if not old.is_valid or old.replaced_by:
        raise Conflict(_ENDED)
    rate = issuer.allow_rate(old.rate_per_minute)
    wish = KeyWish(old.name, in_order(old.scopes), old.expires_at, rate, replaces=old.id, overlap=overlap)
    return await _issue(database, issuer, wish)


async def revoke(database: Database, issuer: Issuer, key_id: str) -> KeyView:
    """Revoke a key. Raises NotFound, Forbidden."""
    async with database.transaction() as session:
        key = await require_key(session, issuer.caller.workspace_id, key_id)
        _require_scopes(issuer, key.scopes, "revoke")
        if not await revoke_key_for(session, issuer.key, key_id):
            raise NotFound(_UNKNOWN)
        await session.refresh(key)
        return key_view(key)


async def _issue(database: Database, issuer: Issuer, wish: KeyWish) -> NewKeyView:
    _require_scopes(issuer, wish.scopes, "create", "scopes")
    async with database.transaction() as session:
        if await count_valid_keys(session, issuer.caller.workspace_id) >= MOST_KEYS:
            raise Unprocessable(
                Problem(f"This workspace has {MOST_KEYS} valid keys; revoke one first", "too_many_keys")
            )
        key = await issue_key(session, issuer.key, wish)
    if key is None:
        raise Conflict(_ENDED) if wish.replaces else Unprocessable(_OUTLIVES)
    return NewKeyView(
        id=key.id,
        key=key.key,
        name=wish.name,
        scopes=wish.scopes,
        expiresAt=moment_or_none(wish.expires_at),
        ratePerMinute=wish.rate_per_minute,
    )


def _require_scopes(issuer: Issuer, scopes: Sequence[str], act: str, param: str | None = None) -> None:
    """Raise Forbidden if a key with these scopes may do more than the issuer's."""
    if lacking := [scope for scope in in_order(scopes) if scope not in issuer.caller.scopes]:
        sentence = f"A key cannot {act} one that may do more than itself: this one lacks {', '.join(lacking)}"
        raise Forbidden(lacking[0], Problem(sentence, "insufficient_scope", param))


async def require_key(session: AsyncSession, workspace_id: str, key_id: str) -> ApiKey:
    """Return a key of the workspace. Raises NotFound."""
    key = await find_row(session, ApiKey, workspace_id, key_id)
    if key is None:
        raise NotFound(_UNKNOWN)
    return key


def key_view(key: ApiKey) -> KeyView:
    """Return a key as clients read it."""
    return KeyView(
        id=key.id,
        prefix=key.prefix,
        name=key.name,
        scopes=in_order(key.scopes),
        createdAt=rfc3339(key.created_at),
        lastUsedAt=moment_or_none(key.last_used_at),
        expiresAt=moment_or_none(key.expires_at),
        revokedAt=moment_or_none(key.revoked_at),
        replacedBy=key.replaced_by,
        ratePerMinute=key.rate_per_minute,
    )


def moment_or_none(moment: datetime | None) -> str | None:
    """Return a time as clients read it."""
    return None if moment is None else rfc3339(moment)
