"""Functions that create, list, replace and revoke API keys, and encrypt credentials with a new encryption key."""

import secrets
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from api.keys.schemas import read_expiry
from cli.environment import Environment, find_environment, open_database
from cli.errors import UserError
from cli.workspaces import find_or_create_workspace
from domain.api_keys import OPERATOR_SCOPES, in_order
from domain.errors import InvalidRequest
from domain.schedule import rfc3339
from runtime.settings import Settings, VaultSettings
from store.accounts.revocations import START, Position, count_by_key, reseal_batch, reseal_revocations
from store.models import ApiKey
from store.secrets.vault import Vault, new_key
from store.workspaces.keys import NewKey, create_key, list_keys, replace_key, revoke_key

_BATCH = 100


async def create(
    workspace: str | None,
    name: str,
    valid_days: int | None,
    expires_at: str | None,
    scopes: Sequence[str],
    rate_per_minute: int | None,
    data_dir: Path | None,
) -> NewKey:
    """Return a new API key of the workspace, which is created if it does not exist. Raises UserError."""
    try:
        end = read_expiry(valid_days, expires_at)
    except InvalidRequest as error:
        raise UserError(str(error)) from None
    async with _transaction(environment := find_environment(data_dir, Settings)) as session:
        workspace_id = await find_or_create_workspace(
            session, environment.workspace_id if workspace is None else workspace
        )
        valid_for = None if end is None else end - datetime.now(UTC)
        chosen = in_order(scopes or OPERATOR_SCOPES)
        return await create_key(session, workspace_id, name, valid_for, chosen, rate_per_minute)


async def describe_keys(workspace: str | None, data_dir: Path | None) -> list[dict[str, Any]]:
    """Return descriptions of a workspace's keys, or of all workspaces' keys, without the keys. Raises UserError."""
    async with _transaction(find_environment(data_dir, Settings)) as session:
        workspace_id = None if workspace is None else await find_or_create_workspace(session, workspace, may_make=False)
        return [describe(key, name) for key, name in await list_keys(session, workspace_id)]


async def revoke(key_id: str, data_dir: Path | None) -> None:
    """Revoke a key. Raises UserError if no key has this id; the error repeats nothing that might be a key."""
    async with _transaction(find_environment(data_dir, Settings)) as session:
        if not await revoke_key(session, key_id):
            raise UserError(
                "There is no key of this id. `socialsyncer keys list` shows the ids, which begin with key_."
            )


async def rotate(key_id: str, overlap_hours: int, data_dir: Path | None) -> NewKey:
    """Return a key that replaces another one, which ends after the overlap. Raises UserError."""
    async with _transaction(find_environment(data_dir, Settings)) as session:
        key = await replace_key(session, key_id, timedelta(hours=overlap_hours))
    if key is None:
        raise UserError(
            "There is no valid key of this id that is not being replaced already. `socialsyncer keys list` shows them."
        )
    return key


def new_secrets() -> dict[str, str]:
    """Return a value for every secret that docker-compose.yml needs, by its variable."""
    passwords = (
        "POSTGRES_PASSWORD",
        "POSTGRES_OWNER_PASSWORD",
        "POSTGRES_TEMPORAL_PASSWORD",
        "SOCIALSYNCER_API_ROLE_PASSWORD",
        "SOCIALSYNCER_WORKER_ROLE_PASSWORD",
    )
    # Letters and digits, because they become parts of URLs.
    return {name: secrets.token_hex(24) for name in passwords} | {"SOCIALSYNCER_ENCRYPTION_KEYS": new_key()}


async def reseal(data_dir: Path | None) -> tuple[list[str], bool]:
    """Encrypt all credentials with the first encryption key.

    Returns what was done and what remains, a sentence each, and whether older keys can be removed. Raises UserError.
    """
    environment = find_environment(data_dir, VaultSettings)
    vault, resealed = Vault(environment.settings.encryption_keys), 0
    async with open_database(environment) as database:
        position: Position | None = START
        while position is not None:
            async with database.transaction() as session:
                batch = await reseal_batch(session, vault, position, _BATCH)
            resealed, position = resealed + batch.resealed, batch.position
        async with database.transaction() as session:
            unreadable = await reseal_revocations(session, vault)
            counts = await count_by_key(session)
    newest, *older = vault.key_ids
    sentences = [f"Sealed again: {resealed}. Sealed under the newest key, {newest.hex()}: {counts.pop(newest, 0)}."]
    for key, count in sorted(counts.items()):
        why = (
            "they were in use; run this again in half an hour"
            if key in older
            else "this key is not configured, so they cannot be opened; put it back, or connect these accounts again"
        )
        sentences.append(f"Still sealed under {key.hex()}: {count}; {why}.")
    if unreadable:
        sentences.append(
            f"Credentials of authorizations that are still to be ended at their platforms, under a key that is not "
            f"configured: {unreadable}. Put the key back, or leave them: they are given up after a week at most."
        )
    if not counts:
        sentences.append("No credentials need an older key: it can be removed.")
    return sentences, not counts


def describe(key: ApiKey, workspace: str) -> dict[str, Any]:
    """Return a description of a key, without the key."""
    times = {
        "createdAt": key.created_at,
        "lastUsedAt": key.last_used_at,
        "expiresAt": key.expires_at,
        "revokedAt": key.revoked_at,
    }
    about = {
        "id": key.id,
        "prefix": key.prefix,
        "name": key.name,
        "workspace": workspace,
        "scopes": key.scopes,
        "ratePerMinute": key.rate_per_minute,
        "replacedBy": key.replaced_by,
    }
    return about | {name: _moment(time) for name, time in times.items()}


def _moment(time: datetime | None) -> str | None:
    return None if time is None else rfc3339(time.replace(microsecond=0))


@asynccontextmanager
async def _transaction(environment: Environment[Settings]) -> AsyncIterator[AsyncSession]:
    async with open_database(environment) as database, database.transaction() as session:
        yield session
