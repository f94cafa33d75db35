"""Connected accounts: saved, listed, checked, refused and removed.

Credentials leave this module decrypted only for the platform that needs them.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, and_, case, delete, func, or_, select, tuple_, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncSession

from domain.post import OPEN, UNSENT
from store.due import Due
from store.models import Account, AppRefusal, ConnectedAccount, Post, Target
from store.rows import count_rows, current_row, lock, lock_row
from store.secrets.vault import Vault, VaultError

Key = tuple[str, str]
"""Workspace and id of an account."""


def _context(workspace_id: str, account_id: str) -> str:
    return f"{workspace_id}/{account_id}"


WORKS: Mapping[str, Any] = {
    "refused_at": None,
    "refusal": None,
    "refusal_code": None,
    "refusal_count": 0,
    "recheck_at": None,
    "access_refused_at": None,
}
"""The columns of an account that its platform accepts."""
_OF_TOKENS = ("expires_at", "refresh_expires_at", "scopes", "renew_at", "grant_subject")
_FIRST_QUESTION, _LONGEST_SILENCE = timedelta(seconds=15), timedelta(hours=1)
_GROWTH = 4


async def save_account(
    session: AsyncSession,
    vault: Vault,
    *,
    workspace_id: str,
    account_id: str,
    platform: str,
    user_id: str,
    username: str,
    premium: bool,
    credentials: dict[str, Any],
    app_id: str = "",
    limits: Mapping[str, int] | None = None,
    tokens: Mapping[str, Any] | None = None,
) -> Account:
    """Connect an account, or reconnect it with new credentials.

    Some platforms send a refresh token with the first consent only. So if the new credentials of the same user and app
    have none, the stored one is kept. `tokens` are columns: `expires_at`, `refresh_expires_at`, `scopes`, `renew_at`
    and `grant_subject`; null if not given.
    """
    now = datetime.now(UTC)
    if not credentials.get("refresh_token"):
        stored = await _refresh_token(session, vault, workspace_id, account_id, user_id, app_id)
        credentials |= {"refresh_token": stored} if stored else {}
    values = {
        "platform": platform,
        "user_id": user_id,
        "username": username,
        "app_id": app_id,
        "premium": premium,
        "limits": dict(limits or {}),
        "credentials": seal_credentials(vault, workspace_id, account_id, credentials),
        "renewing_until": None,
        "renewal_started_at": None,
        "renewed_at": None,
        "renewal_failures": 0,
        "renewal_error": None,
        "connected_at": now,
        "last_ok_at": now,
        "inspected_at": None,
        "inspection": None,
        **dict.fromkeys(_OF_TOKENS),
        **(tokens or {}),
        **WORKS,
    }
    statement = (
        insert(Account)
        .values(workspace_id=workspace_id, id=account_id, **values)
        .on_conflict_do_update(index_elements=[Account.workspace_id, Account.id], set_=values)
        .returning(Account)
    )
    return (await session.scalars(statement, execution_options={"populate_existing": True})).one()


async def _refresh_token(
    session: AsyncSession, vault: Vault, workspace_id: str, account_id: str, user_id: str, app_id: str
) -> str | None:
    """Return the refresh token that an account's row has for this user and app, and lock the row."""
    account = await lock_row(session, Account, workspace_id, account_id)
    if account is None or (account.user_id, account.app_id) != (user_id, app_id):
        return None
    try:
        token = open_credentials(vault, account).get("refresh_token")
    except VaultError:
        return None
    return token if isinstance(token, str) else None


async def list_accounts(session: AsyncSession, workspace_id: str) -> list[Account]:
    """Return the workspace's accounts, oldest first."""
    query = select(Account).where(Account.workspace_id == workspace_id).order_by(Account.connected_at, Account.id)
    return list(await session.scalars(query))


async def find_accounts(
    session: AsyncSession, workspace_id: str, account_ids: list[str]
) -> dict[str, ConnectedAccount]:
    """Return the connected ones among these accounts, by id."""
    query = select(ConnectedAccount).where(
        ConnectedAccount.workspace_id == workspace_id, ConnectedAccount.id.in_(account_ids)
    )
    return {account.id: account for account in await session.scalars(query)}


async def has_room_for(session: AsyncSession, workspace_id: str, account_ids: Collection[str], most: int) -> bool:
    """Return whether a workspace may have these accounts, too; others wait until the transaction has ended."""
    await lock(session, f"accounts.{workspace_id}")
    known = await find_accounts(session, workspace_id, list(account_ids))
    new = set(account_ids) - set(known)
    return (
        not new
        or await count_rows(session, ConnectedAccount.workspace_id == workspace_id, most=most) + len(new) <= most
    )


async def remove_account(session: AsyncSession, workspace_id: str, account_id: str) -> bool:
    """Delete an account and its credentials; return whether there was one."""
    query = delete(Account).where(Account.workspace_id == workspace_id, Account.id == account_id).returning(Account.id)
    return await session.scalar(query) is not None


async def posts_waiting_for(session: AsyncSession, workspace_id: str, account_id: str, most: int) -> list[str]:
    """Return the ids of up to `most` posts that are still to be published to an account, the soonest due first."""
    query = (
        select(Post.id)
        .join(Target, Target.post_id == Post.id)
        .where(
            Target.workspace_id == workspace_id,
            Target.account_id == account_id,
            Target.status.in_(UNSENT),
            Post.status.in_(OPEN),
        )
        .order_by(Post.due_at, Post.id)
        .limit(most)
    )
    return list(await session.scalars(query))


async def change_places(
    session: AsyncSession,
    workspace_id: str,
    account_id: str,
    *,
    allow: Mapping[str, set[str]] | None = None,
    forbid: Mapping[str, set[str]] | None = None,
) -> Account | None:
    """Allow or forbid an account to publish to places other than its own; return it, None if there is none."""
    account = await lock_row(session, Account, workspace_id, account_id)
    if account is None:
        return None
    allow, forbid = allow or {}, forbid or {}
    names = {*account.allowed, *allow}
    allowed = {name: {*account.allowed.get(name, ())} | allow.get(name, set()) for name in names}
    remaining = {name: sorted(values - forbid.get(name, set())) for name, values in allowed.items()}
    account.allowed = {name: values for name, values in remaining.items() if values}
    return account


async def refuse_account(session: AsyncSession, account: Account, used: bytes, message: str, code: str) -> bool:
    """Save that a platform refuses an account's credentials: from now on its posts are held without asking again.

    `used` is the sealed value that was refused. If the account has been reconnected meanwhile, nothing is saved and the
    result is False.
    """
    now = datetime.now(UTC)
    wait = min(_FIRST_QUESTION * _GROWTH ** min(account.refusal_count, 10), _LONGEST_SILENCE)
    fresh = Account.refused_at.is_(None)
    statement = update(Account).where(_is(account), Account.credentials == used)
    statement = statement.values(
        refused_at=func.coalesce(Account.refused_at, now),
        refusal=message,
        refusal_code=code,
        refusal_count=Account.refusal_count + case((fresh, 1), else_=0),
        recheck_at=case((fresh, now + wait), else_=Account.recheck_at),
    )
    return await session.scalar(statement.returning(Account.id)) is not None


TO_RECHECK = Due("accounts", "accounts.refused_at IS NOT NULL AND accounts.recheck_at <= :now")


async def claim_accounts_to_recheck(session: AsyncSession) -> list[Account]:
    """Return the refused accounts whose platforms are to be asked now, and set when next: no other worker gets them."""
    now = datetime.now(UTC)
    age = func.least(func.greatest(now - Account.refused_at, _FIRST_QUESTION), _LONGEST_SILENCE)
    due = update(Account).where(TO_RECHECK.at(now))
    return list(await session.scalars(due.values(recheck_at=now + age).returning(Account)))


async def accept_account(session: AsyncSession, account: Account, *, published: bool = False) -> None:
    """Save that a platform accepts an account again.

    Only `published` proves it: an account that can be identified may still lack a permission. Until it has published,
    the next refusal lengthens the pause between checks.
    """
    values = {**WORKS} if published else {name: value for name, value in WORKS.items() if name != "refusal_count"}
    values["last_ok_at"] = datetime.now(UTC)
    await session.execute(update(Account).where(_is(account)).values(**values))


def _is(account: Account) -> ColumnElement[bool]:
    return and_(Account.workspace_id == account.workspace_id, Account.id == account.id)


def open_credentials(vault: Vault, account: Account) -> dict[str, Any]:
    """Decrypt an account's credentials. Raises VaultError."""
    return open_sealed(vault, account.workspace_id, account.id, account.credentials)


def open_sealed(vault: Vault, workspace_id: str, account_id: str, sealed: bytes) -> dict[str, Any]:
    """Decrypt a value that an account's row has or had. Raises VaultError."""
    return vault.open(sealed, _context(workspace_id, account_id))


def seal_credentials(vault: Vault, workspace_id: str, account_id: str, credentials: dict[str, Any]) -> bytes:
    """Encrypt an account's credentials: each time to another value."""
    return vault.seal(credentials, _context(workspace_id, account_id))


REMOVAL_WAITS = timedelta(minutes=1)
"""How long a requested removal may be carried out; longer than its client waits."""


async def request_removal(
    session: AsyncSession, workspace_id: str, platform: str, account_id: str, *, requested_by: str | None, revokes: bool
) -> None:
    """Request the removal of an account from the workers; `requested_by` is the id of an API key."""
    await session.execute(
        update(Account)
        .where(*_of_account(workspace_id, platform, account_id))
        .values(removal_requested_at=func.now(), removal_requested_by=requested_by, removal_revokes=revokes)
    )


async def delete_account_row(
    session: AsyncSession, workspace_id: str, platform: str, account_id: str
) -> Account | None:
    """Delete the row of an account whose removal was requested, and return it; None if there is none."""
    requested = Account.removal_requested_at > func.now() - REMOVAL_WAITS
    taken = delete(Account).where(*_of_account(workspace_id, platform, account_id), requested).returning(Account)
    return (await session.scalars(taken, execution_options={"populate_existing": True})).one_or_none()


def _of_account(workspace_id: str, platform: str, account_id: str) -> tuple[ColumnElement[bool], ...]:
    return Account.workspace_id == workspace_id, Account.id == account_id, Account.platform == platform


def may_be_checked(account: ConnectedAccount, every: timedelta, now: datetime) -> bool:
    """Return whether a platform may be asked about an account: not soon after it was asked or accepted its tokens."""
    asked, proven = account.inspected_at, account.last_ok_at
    if asked is not None and asked > now - every:
        return False
    return account.refused_at is not None or proven is None or proven <= now - every


async def claim_check(session: AsyncSession, key: Key, every: timedelta) -> Account | None:
    """Return an account's row if its platform may be asked now, for one caller only; None if not."""
    workspace_id, account_id = key
    before = func.now() - every
    claim = update(Account).where(
        Account.workspace_id == workspace_id,
        Account.id == account_id,
        or_(Account.inspected_at.is_(None), Account.inspected_at <= before),
        or_(Account.refused_at.is_not(None), Account.last_ok_at.is_(None), Account.last_ok_at <= before),
    )
    claimed = claim.values(inspected_at=func.now()).returning(Account)
    return (await session.scalars(claimed, execution_options={"populate_existing": True})).one_or_none()


async def note_check(
    session: AsyncSession,
    key: Key,
    used: bytes,
    *,
    inspection: dict[str, Any],
    scopes: Sequence[str] | None = None,
    expires_at: datetime | None = None,
    ends: bool = False,
) -> None:
    """Save the result of a check, unless the account has other tokens by now.

    `ends` says that the connection ends with its access token, because nothing renews it.
    """
    workspace_id, account_id = key
    values: dict[str, Any] = {"inspection": inspection}
    values |= {} if scopes is None else {"scopes": list(scopes)}
    if expires_at is not None:
        values |= {"expires_at": expires_at} | ({"refresh_expires_at": expires_at} if ends else {})
    own = (Account.workspace_id == workspace_id, Account.id == account_id, Account.credentials == used)
    await session.execute(update(Account).where(*own).values(**values))


AppKey = tuple[str, str]
"""Platform and id of an app."""


async def page_of_accounts(
    session: AsyncSession, workspace_id: str, *, platform: str | None, after: str, limit: int
) -> list[ConnectedAccount]:
    """Return up to `limit` accounts of a workspace whose ids follow `after`, in the order of their ids."""
    query = select(ConnectedAccount).where(ConnectedAccount.workspace_id == workspace_id, ConnectedAccount.id > after)
    if platform is not None:
        query = query.where(ConnectedAccount.platform == platform)
    return list(await session.scalars(query.order_by(ConnectedAccount.id).limit(limit)))


async def find_connected_account(
    session: AsyncSession, workspace_id: str, platform: str, account_id: str
) -> ConnectedAccount | None:
    """Return an account of a workspace, None if there is no such account on this platform."""
    account = await current_row(session, ConnectedAccount, (workspace_id, account_id))
    return account if account is not None and account.platform == platform else None


async def refusals_of_apps(
    session: AsyncSession, accounts: Collection[Account | ConnectedAccount]
) -> dict[AppKey, str]:
    """Return the messages with which the platforms refuse the apps of these accounts; working apps are left out."""
    apps = {(account.platform, account.app_id) for account in accounts}
    if not apps:
        return {}
    query = select(AppRefusal).where(tuple_(AppRefusal.platform, AppRefusal.app_id).in_(apps))
    return {(app.platform, app.app_id): app.message for app in await session.scalars(query)}
