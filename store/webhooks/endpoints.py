"""The endpoints of a workspace, as the API reads and changes them, and the keys that seal their secrets."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import func, insert, select, text
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import defer

from domain.ids import new_id
from domain.webhooks import DeliveryState, DisabledReason
from store.announcer import announce
from store.models import Delivery, DeliveryAttempt, HandoverKey, Listener, Webhook
from store.rows import count_rows, delete_rows, find_row, lock, update_rows
from store.secrets.handover import new_pair, open_handover, seal_for
from store.secrets.vault import KEY_ID, Vault, VaultError


@dataclass(frozen=True, slots=True)
class SealedSecret:
    """A secret that only workers can open, and the id of the key that opens it."""

    key_id: str
    sealed: bytes


async def keep_handover_key(session: AsyncSession, vault: Vault) -> None:
    """Make a pair of keys if there is none, and seal private keys again that an older key of the vault has sealed."""
    await lock(session, "handover_keys")
    rows = list(await session.scalars(select(HandoverKey)))
    for row in rows:
        if row.private_key[:KEY_ID] != vault.key_ids[0]:
            try:
                row.private_key = vault.seal(vault.open(row.private_key, _context(row.id)), _context(row.id))
            except VaultError:
                continue
    if not rows:
        private, public = new_pair()
        key_id = new_id("hok")
        sealed = vault.seal({"privateKey": base64.b64encode(private).decode()}, _context(key_id))
        session.add(HandoverKey(id=key_id, public_key=public, private_key=sealed))


async def seal_secret(session: AsyncSession, webhook_id: str, secret: str) -> SealedSecret | None:
    """Return an endpoint's secret, sealed for the workers; None if no worker has made a key yet."""
    newest = select(HandoverKey.id, HandoverKey.public_key).order_by(HandoverKey.id.desc()).limit(1)
    row = (await session.execute(newest)).one_or_none()
    if row is None:
        return None
    return SealedSecret(row.id, seal_for(row.public_key, {"secret": secret}, webhook_id))


async def open_secret(session: AsyncSession, vault: Vault, webhook_id: str, secret: SealedSecret) -> str:
    """Return an endpoint's secret. Raises VaultError, HandoverError if it cannot be opened."""
    row = await session.get(HandoverKey, secret.key_id)
    if row is None:
        raise VaultError("the key of this secret is not kept")
    private = base64.b64decode(vault.open(row.private_key, _context(row.id))["privateKey"])
    return str(open_handover(private, secret.sealed, webhook_id)["secret"])


def _context(key_id: str) -> str:
    return f"handover_key/{key_id}"


_TEST = text("SELECT test_webhook_v1(:workspace_id, :webhook_id)")
_ROTATE = text("SELECT rotate_webhook_v1(:workspace_id, :webhook_id, :secret, :key_id, :overlap)")
_NOW = func.clock_timestamp()
_COUNTED = 10_000
"""Waiting events are counted up to this number."""
_WITHOUT_SECRETS = (defer(Webhook.secret, raiseload=True), defer(Webhook.older_secret, raiseload=True))


@dataclass(frozen=True, slots=True)
class NewEndpoint:
    """An endpoint to create."""

    id: str
    workspace_id: str
    url: str
    events: Sequence[str]
    name: str | None
    enabled: bool
    secret: SealedSecret


async def create_endpoint(session: AsyncSession, endpoint: NewEndpoint, most: int) -> bool:
    """Create an endpoint and let its workspace listen; False if the workspace has `most` endpoints already."""
    await lock(session, f"webhooks.{endpoint.workspace_id}")
    if await count_rows(session, Webhook.workspace_id == endpoint.workspace_id) >= most:
        return False
    await session.execute(
        insert(Webhook).values(
            id=endpoint.id,
            workspace_id=endpoint.workspace_id,
            url=endpoint.url,
            events=list(endpoint.events),
            name=endpoint.name,
            enabled=endpoint.enabled,
            disabled_reason=None if endpoint.enabled else DisabledReason.REQUEST.value,
            disabled_at=None if endpoint.enabled else _NOW,
            secret=endpoint.secret.sealed,
            secret_key=endpoint.secret.key_id,
        )
    )
    await session.execute(upsert(Listener).values(workspace_id=endpoint.workspace_id).on_conflict_do_nothing())
    # Names no endpoint: nothing waits for this one, but the listener looks again whether there are any.
    announce(session, "")
    return True


async def list_endpoints(session: AsyncSession, workspace_id: str) -> list[Webhook]:
    """Return all endpoints of a workspace, the oldest first."""
    query = select(Webhook).where(Webhook.workspace_id == workspace_id).order_by(Webhook.id).options(*_WITHOUT_SECRETS)
    return list(await session.scalars(query))


async def find_endpoint(session: AsyncSession, workspace_id: str, webhook_id: str) -> Webhook | None:
    """Return an endpoint of a workspace."""
    return await find_row(session, Webhook, workspace_id, webhook_id, options=_WITHOUT_SECRETS)


async def change_endpoint(session: AsyncSession, workspace_id: str, webhook_id: str, **values: object) -> None:
    """Change settings of an endpoint, and deliver what waits if it is enabled now."""
    await update_rows(session, Webhook, Webhook.workspace_id == workspace_id, Webhook.id == webhook_id, **values)
    announce(session, webhook_id)


def switched(enabled: bool) -> dict[str, object]:
    """Return the columns of an endpoint that a client switches on, with a clean record, or off.

    Deliveries are made a moment later: by both times, which are the database's as those of events.
    """
    if enabled:
        again = {"failing_since": None, "failures": 0, "probe_at": None}
        return {"enabled": True, "disabled_reason": None, "enabled_at": _NOW, **again}
    return {"enabled": False, "disabled_reason": DisabledReason.REQUEST.value, "disabled_at": _NOW}


async def delete_endpoint(session: AsyncSession, workspace_id: str, webhook_id: str) -> bool:
    """Delete an endpoint; False if the workspace has no such endpoint. The log of it stays for its time."""
    own = (Webhook.workspace_id == workspace_id, Webhook.id == webhook_id)
    return await delete_rows(session, Webhook.id, *own) == 1


async def count_waiting(session: AsyncSession, webhook_ids: Sequence[str]) -> dict[str, int]:
    """Return how many events wait for each endpoint: at most _COUNTED."""
    is_waiting = Delivery.state == text(f"'{DeliveryState.WAITING.value}'")
    return {
        webhook_id: await count_rows(session, Delivery.webhook_id == webhook_id, is_waiting, most=_COUNTED)
        for webhook_id in webhook_ids
    }


async def add_test(session: AsyncSession, workspace_id: str, webhook_id: str) -> str | None:
    """Add a test event for one endpoint, enabled or not; return its delivery's id, None if there is none."""
    delivery_id: str | None = await session.scalar(_TEST, {"workspace_id": workspace_id, "webhook_id": webhook_id})
    if delivery_id is not None:
        announce(session, webhook_id)
    return delivery_id


async def rotate_secret(
    session: AsyncSession, workspace_id: str, webhook_id: str, secret: SealedSecret, overlap: timedelta
) -> bool:
    """Give an endpoint a new secret, beside which the older one is used for a while; False if there is none."""
    values = {"secret": secret.sealed, "key_id": secret.key_id, "overlap": overlap}
    return bool(await session.scalar(_ROTATE, {"workspace_id": workspace_id, "webhook_id": webhook_id, **values}))


async def delivery_outcome(session: AsyncSession, delivery_id: str) -> tuple[DeliveryState, DeliveryAttempt | None]:
    """Return the state of a delivery, and its last attempt."""
    state = await session.scalar(select(Delivery.state).where(Delivery.id == delivery_id))
    last = select(DeliveryAttempt).where(DeliveryAttempt.delivery_id == delivery_id)
    attempt = await session.scalar(last.order_by(DeliveryAttempt.id.desc()).limit(1))
    return DeliveryState(state or DeliveryState.DROPPED), attempt
