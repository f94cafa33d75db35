"""Functions that connect, list and remove the accounts of a workspace."""

import json
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.alias_generators import to_camel
from sqlalchemy.ext.asyncio import AsyncSession

from accounts.credentials.app_secrets import plain
from api.accounts.actions import event_view
from api.accounts.schemas import AccountHealthView, health_view
from cli.current_operator import current_operator
from cli.environment import find_environment, open_database
from cli.errors import UserError
from cli.own_credentials import keep_account, parse_credentials, platform_named, verify
from cli.sandbox import SandboxAccount, introduce, known_accounts, own_server, stable_user_id
from cli.workspaces import find_or_create_workspace, known_workspace
from domain.account_health import Health
from domain.audit import AccountAction
from domain.schedule import rfc3339
from platforms.base import AnyPlatform
from platforms.places import ANY
from platforms.registry import platforms
from runtime.parts import servers
from runtime.settings import Settings, VaultSettings
from store.accounts.connected import (
    change_places,
    list_accounts,
    posts_waiting_for,
    refusals_of_apps,
    remove_account,
)
from store.apps import key_ids_of_workers
from store.audit import account_events, add_account_event, names_of_keys
from store.maintenance.reports import ConnectionState, account_states
from store.models import Account
from store.rows import find_row
from store.secrets.vault import Vault


def parse_places(platform: AnyPlatform, pairs: Sequence[str]) -> dict[str, set[str]]:
    """Return the places that pairs such as `channelId=123` name, in the form of settings. Raises UserError."""
    known = {place.name: place for place in platform.places}
    places: defaultdict[str, set[str]] = defaultdict(set)
    for pair in pairs:
        name, _, value = pair.partition("=")
        if name not in known:
            there_are = f"it has {', '.join(known)}" if known else "it has none"
            raise UserError(f"{platform.label} has no setting {name!r} that names another place; {there_are}.")
        if value == ANY:
            places[name].add(ANY)
            continue
        try:
            settings = platform.settings.model_validate({name: value})
        except ValidationError as error:
            reason = error.errors(include_input=False, include_url=False)[0]["msg"].removeprefix("Value error, ")
            raise UserError(f"{name} {reason}; or {ANY} for all.") from None
        places[name].add(getattr(settings, known[name].field))
    return dict(places)


@dataclass(frozen=True, slots=True)
class SandboxDetails:
    """Optional details of a sandbox account, in addition to its credentials."""

    username: str | None
    premium: bool


def parse_object(text: str) -> dict[str, Any]:
    """Parse the JSON object with credentials. Raises UserError, which repeats nothing of the text."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise UserError('Give the credentials as one JSON object on stdin, such as {"accessToken": "…"}.')
    return value


async def add(
    platform_name: str,
    workspace: str | None,
    text: str,
    data_dir: Path | None,
    allow: Sequence[str] = (),
) -> dict[str, Any]:
    """Connect the account whose credentials `text` contains as JSON; return its description without secrets.

    Raises UserError.

    `allow` names further places to which it may publish, as `accounts allow` does. On a development stack the account
    is first registered with the sandbox, so that any token is accepted.
    """
    platform, values, environment = (
        platform_named(platform_name),
        parse_object(text),
        find_environment(data_dir, VaultSettings),
    )
    named, places = environment.workspace_id if workspace is None else workspace, parse_places(platform, allow)
    if environment.sandbox_url is None:
        credentials = parse_credentials(platform, values)
    else:
        about = SandboxDetails(username=values.pop("username", None), premium=values.pop("premium", False) is True)
        # A name that the sandbox knows means that account, so that reconnecting can be tried out.
        known = await known_accounts(environment.sandbox_url, platform_name) if "identifier" in values else {}
        # Bluesky's handles end in the name of the server.
        for name in (str(values.get("identifier")), str(values.get("identifier")).partition(".")[0]):
            if name in known:
                about, values["identifier"] = replace(about, username=about.username or name), known[name]
                break
        credentials = parse_credentials(platform, values)
        if servers(environment.settings).is_played(platform, credentials):
            await _introduce(environment.sandbox_url, platform, credentials, about)
    async with open_database(environment) as database:
        # This comes before the request to the platform, which may renew the credentials: then they must be stored.
        async with database.transaction() as session:
            _, known_id = await known_workspace(session, named)
            await _require_known_key(session, Vault(environment.settings.encryption_keys))
        # An app that is for some workspaces is not for a new one.
        verified = await verify(platform, credentials, environment.settings, known_id or "")
        async with database.transaction() as session:
            workspace_id = await find_or_create_workspace(session, named)
            account = await keep_account(session, environment.settings, workspace_id, verified)
            return describe(await change_places(session, workspace_id, account.id, allow=places) or account)


async def _require_known_key(session: AsyncSession, vault: Vault) -> None:
    """Raise UserError if the service's workers could not read an account that this command encrypts."""
    used, known = vault.key_ids[0].hex(), await key_ids_of_workers(session)
    if known and used not in known:
        raise UserError(
            f"The service's workers do not have the encryption key of this command ({used}), so they could not publish "
            f"for the account. They have {', '.join(known)}. Run the command with the workers' "
            "SOCIALSYNCER_ENCRYPTION_KEYS (--data-dir takes the keys of the stack's folder), or restart the workers "
            "with this key, too."
        )


async def describe_accounts(workspace: str | None, data_dir: Path | None) -> list[dict[str, Any]]:
    """Return descriptions of the workspace's accounts, without secrets. Raises UserError."""
    async with _workspace(workspace, data_dir) as (session, workspace_id):
        accounts, now = await list_accounts(session, workspace_id), datetime.now(UTC)
        refused_apps = await refusals_of_apps(session, accounts)
        return [describe(account) | _health(health_view(account, refused_apps, now)) for account in accounts]


async def describe_all_accounts(data_dir: Path | None, *, refused: bool = False) -> AsyncIterator[dict[str, Any]]:
    """Yield the accounts of all workspaces with their state and health; with `refused` only those that do not work."""
    now = datetime.now(UTC)
    async with open_database(find_environment(data_dir, Settings)) as database, database.reading() as session:
        async for state in account_states(session):
            health = _health(health_view(state.account, state.refused_apps, now)) if state.account else {}
            if (
                not refused
                or state.state is not ConnectionState.CONNECTED
                or health["health"] == Health.NEEDS_RECONNECT
            ):
                named = {field.name: getattr(state, field.name) for field in fields(state)}
                shown = {
                    to_camel(name): rfc3339(value) if isinstance(value, datetime) else value
                    for name, value in named.items()
                    if value is not None and name not in _OF_ROWS
                }
                yield shown | health


async def describe_waiting_posts(account_id: str, workspace: str | None, data_dir: Path | None) -> str:
    """Return which posts wait for an account and what removing it does to them; empty if there are none.

    Raises UserError if there is no such account.
    """
    async with _workspace(workspace, data_dir) as (session, workspace_id):
        if await find_row(session, Account, workspace_id, account_id) is None:
            raise UserError(f"The workspace has no account {account_id}.")
        post_ids = await posts_waiting_for(session, workspace_id, account_id, _COUNTED + 1)
    if not post_ids:
        return ""
    count = f"more than {_COUNTED:,}" if len(post_ids) > _COUNTED else f"{len(post_ids):,}"
    named = ", ".join(post_ids[:_NAMED]) + (", …" if len(post_ids) > _NAMED else "")
    return (
        f"{count} post{'s' if len(post_ids) != 1 else ''} still to be published to {account_id}: {named}.\n"
        "Without the account they are held at their time, and fail unless it is connected again within publishWithin."
    )


_COUNTED, _NAMED, _LINES = 10_000, 5, 100
_OF_ROWS = frozenset({"account", "refused_apps"})
"""The facts from which an account's health is derived; they are not shown."""


async def remove(account_id: str, workspace: str | None, data_dir: Path | None) -> None:
    """Remove an account and its credentials. Raises UserError if there is none."""
    async with _workspace(workspace, data_dir) as (session, workspace_id):
        account = await find_row(session, Account, workspace_id, account_id)
        if account is None:
            raise UserError(f"The workspace has no account {account_id}.")
        add_account_event(
            session,
            workspace_id=workspace_id,
            platform=account.platform,
            account_id=account_id,
            action=AccountAction.REMOVED,
            actor=current_operator(),
            details={"username": account.username},
        )
        await remove_account(session, workspace_id, account_id)


async def history(account_id: str, workspace: str | None, data_dir: Path | None) -> list[str]:
    """Return who connected and removed an account, the newest first. Raises UserError if nothing is known of it."""
    async with _workspace(workspace, data_dir) as (session, workspace_id):
        events = await account_events(session, workspace_id, None, account_id, _LINES)
        names = await names_of_keys(session, (event.actor_id for event in events))
    if not events:
        raise UserError(f"Nothing is known of an account {account_id} of this workspace.")
    views = [event_view(event, names, identities=True) for event in events]
    return [f"{view['at']}  {view['summary']}" for view in views]


async def allow(account_id: str, pairs: Sequence[str], workspace: str | None, data_dir: Path | None) -> dict[str, Any]:
    """Allow an account to publish to places; return its description without secrets. Raises UserError."""
    return await _change(account_id, pairs, workspace, data_dir, allow=True)


async def forbid(account_id: str, pairs: Sequence[str], workspace: str | None, data_dir: Path | None) -> dict[str, Any]:
    """Forbid an account places that were allowed; return its description without secrets. Raises UserError."""
    return await _change(account_id, pairs, workspace, data_dir, allow=False)


async def _change(
    account_id: str, pairs: Sequence[str], workspace: str | None, data_dir: Path | None, *, allow: bool
) -> dict[str, Any]:
    async with _workspace(workspace, data_dir) as (session, workspace_id):
        account = await find_row(session, Account, workspace_id, account_id)
        if account is None:
            raise UserError(f"The workspace has no account {account_id}.")
        places = parse_places(platforms()[account.platform], pairs)
        if allow:
            changed = await change_places(session, workspace_id, account_id, allow=places)
        else:
            changed = await change_places(session, workspace_id, account_id, forbid=places)
        return describe(changed or account)


def describe(account: Account) -> dict[str, Any]:
    """Return an account's description without secrets, and its platform's reason if the platform refuses it."""
    about: dict[str, Any] = {"platform": account.platform, "accountId": account.id, "username": account.username}
    if account.allowed:
        about["allowed"] = account.allowed
    if account.refresh_expires_at is not None:
        about["connectionEnds"] = rfc3339(account.refresh_expires_at)
    if account.renewal_failures:
        about["renewalFailures"] = account.renewal_failures
        about["renewalError"] = account.renewal_error
    if account.refused_at is None:
        return about
    return about | {"refusedSince": rfc3339(account.refused_at), "refusal": account.refusal}


def _health(view: AccountHealthView) -> dict[str, Any]:
    about: dict[str, Any] = {"health": view["health"].value}
    return about | ({"recommendations": view["recommendations"]} if view["recommendations"] else {})


@asynccontextmanager
async def _workspace(workspace: str | None, data_dir: Path | None) -> AsyncIterator[tuple[AsyncSession, str]]:
    """Open a transaction on a workspace that exists. Raises UserError."""
    environment = find_environment(data_dir, Settings)
    named = environment.workspace_id if workspace is None else workspace
    async with open_database(environment) as database, database.transaction() as session:
        yield session, await find_or_create_workspace(session, named, may_make=False)


async def _introduce(sandbox_url: str, platform: AnyPlatform, credentials: BaseModel, about: SandboxDetails) -> None:
    """Register the account with the sandbox; if the credentials contain no id, the id follows from the token."""
    fields = plain(credentials)
    known = (await known_accounts(sandbox_url, platform.name)).get(about.username or "")
    user_id = known or fields.get("user_id") or stable_user_id(fields["access_token"])
    account = SandboxAccount(
        platform=platform.name,
        account_id=platform.account_id(user_id),
        user_id=user_id,
        username=about.username or f"user{user_id[-6:]}",
        access_token=fields["access_token"],
        refresh_token=fields.get("refresh_token"),
        premium=about.premium,
        server=own_server(platform, credentials),
    )
    await introduce(sandbox_url, [account])
