"""Steps of a deletion that let the workers remove the accounts and end their authorizations."""

import asyncio
from collections.abc import Sequence

from cli.erasing.rows import AGAIN, POLL_S, ErasedWorkspace
from cli.errors import UserError
from store.accounts.connected import request_removal
from store.accounts.revocations import MOST_REVOCATIONS
from store.maintenance.deletions import count_deleted, count_revocations, delete_rate_limits
from store.maintenance.owned_tables import list_accounts
from store.models import Account
from workflows.client.post_workflows import PostWorkflows
from workflows.short import AccountPlan

REVOKED_WITHIN_S = 60.0
_TRIES = 3
_AT_ONCE = 4


async def erase_accounts(erased: ErasedWorkspace) -> str:
    """Let the workers remove the accounts: they alone can open the tokens that end the authorizations."""
    number = 0
    for _ in range(_TRIES):
        accounts = await _list_accounts(erased)
        for first in range(0, len(accounts), _AT_ONCE):
            # Beyond a number of pending revocations, a removal records none, and the token would be forgotten.
            if erased.revokes and await _count_pending(erased) > MOST_REVOCATIONS - 2 * _AT_ONCE:
                await await_revocations(erased)
            batch = accounts[first : first + _AT_ONCE]
            await asyncio.gather(*(_remove_account(erased, *account) for account in batch))
        removed = len(accounts) - len(await _list_accounts(erased))
        number += removed
        async with erased.database.transaction() as session:
            await count_deleted(session, erased.workspace_id, Account.__tablename__, removed)
    if accounts := await _list_accounts(erased):
        raise UserError(
            f"{len(accounts)} accounts could not be removed, because no worker did it: `socialsyncer doctor` names the "
            f"queues that no worker serves. Then {AGAIN}."
        )
    return f"Accounts: {number:,} removed."


async def _list_accounts(erased: ErasedWorkspace) -> Sequence[tuple[str, str]]:
    async with erased.database.reading() as session:
        return await list_accounts(session, erased.workspace_id)


async def _remove_account(erased: ErasedWorkspace, platform: str, account_id: str) -> None:
    async with erased.database.transaction() as session:
        own = (erased.workspace_id, platform, account_id)
        # First, because after a kill the account's row says what is left to do.
        await delete_rate_limits(session, *own)
        await request_removal(session, *own, requested_by=None, revokes=erased.revokes)
    about = {"workspace_id": erased.workspace_id, "account_id": account_id, "platform": platform}
    await PostWorkflows(erased.client).account(AccountPlan(**about, step="remove", request_id=None))


async def await_revocations(erased: ErasedWorkspace) -> str:
    """Wait until the platforms have ended the authorizations. Raises UserError if they have not within a minute."""
    if not erased.revokes:
        return "Authorizations: left as they are at their platforms."
    for _ in range(int(REVOKED_WITHIN_S / POLL_S)):
        if not await _count_pending(erased):
            return "Authorizations: ended at their platforms."
        await asyncio.sleep(POLL_S)
    raise UserError(
        f"{await _count_pending(erased)} authorizations are still to be ended at their platforms; the workers try that "
        f"for 7 days. Later {AGAIN}; with --without-revoking it does not wait for them."
    )


async def _count_pending(erased: ErasedWorkspace) -> int:
    async with erased.database.reading() as session:
        return await count_revocations(session, erased.workspace_id)
