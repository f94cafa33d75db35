"""A check whether a worker has every encryption key that accounts need, before one of their posts is due."""

import structlog

from activities.meters import Meters
from reconcile.rounds import BackgroundTask
from store.accounts.revocations import count_without_key
from store.database import Database
from store.secrets.vault import Vault

log = structlog.get_logger(__name__)

_EVERY_S = 600.0
_AGAIN_S = 10.0
"""The pause after a check that failed because the database is unavailable."""


def key_task(database: Database, vault: Vault, meters: Meters) -> BackgroundTask:
    """Return the task that checks when the worker starts, and every ten minutes."""
    return BackgroundTask(
        lambda: check_keys(database, vault, meters), _EVERY_S, "keys.not_checked", again_s=lambda _: _AGAIN_S
    )


async def check_keys(database: Database, vault: Vault, meters: Meters) -> int:
    """Report how many accounts this worker cannot read, and return their number."""
    async with database.reading() as session:
        missing = await count_without_key(session, vault.key_ids)
    unreadable = sum(missing.values())
    meters.record_unreadable_accounts(unreadable)
    if unreadable:
        log.error(
            "keys.missing",
            accounts=unreadable,
            key_ids=sorted(key.hex() for key in missing),
            hint="add the key that these accounts are encrypted with to SOCIALSYNCER_ENCRYPTION_KEYS",
        )
    return unreadable
