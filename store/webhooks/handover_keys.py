"""The keys with which the API seals secrets of endpoints for the workers."""

import base64
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from domain.ids import new_id
from store.locks import lock
from store.models import HandoverKey
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
