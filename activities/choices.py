"""The request to a platform for the values of a setting that an account may use. The API cannot read tokens."""

import asyncio
from typing import Any

import structlog
from temporalio import activity

from accounts.credentials.connections import AccountConnections
from activities.commands import ChoicesCommand
from platforms.capabilities import ListsChoices
from platforms.errors import ErrorKind, PlatformError
from platforms.registry import platforms
from store.accounts.connected import find_account
from store.accounts.pending_connections import find_choice_list, note_choices
from store.database import Database
from store.failures import persist
from store.models import Account, ChoiceList
from store.secrets.vault import VaultError

log = structlog.get_logger(__name__)

_ANSWER_S = 15.0
"""The time limit for a platform's responses, because the client waits for them."""


class Choosing:
    """The activity that lists the values of settings."""

    def __init__(self, database: Database, accounts: AccountConnections) -> None:
        self._database = database
        self._accounts = accounts

    @activity.defn
    async def list_choices(self, command: ChoicesCommand) -> None:
        """Save the values that a request asks for, or the error of the platform."""
        async with self._database.reading() as session:
            choice_list = await find_choice_list(session, command.list_id)
            if choice_list is None:
                return
            account = await find_account(session, choice_list.workspace_id, choice_list.account_id)
        if account is None:
            return
        try:
            async with asyncio.timeout(_ANSWER_S):
                result = await self._list(account, choice_list)
        except PlatformError as error:
            result = _error(error)
        except TimeoutError:
            label = platforms()[account.platform].label
            result = _error(PlatformError(ErrorKind.TRANSIENT, f"{label} did not answer.", code="timed_out"))
        except VaultError:
            log.warning("account.unreadable", account_id=account.id, platform=account.platform)
            return

        async def write() -> None:
            async with self._database.answers.transaction() as session:
                await note_choices(session, command.list_id, result)

        await persist(write)

    async def _list(self, account: Account, choice_list: ChoiceList) -> dict[str, Any]:
        platform = platforms()[account.platform]
        if not isinstance(platform, ListsChoices):
            raise TypeError(f"{platform.name} lists no choices")
        connection = self._accounts.connection(account)
        values = await platform.choices(connection, choice_list.setting, choice_list.within)
        return {"choices": [[choice.value, choice.label] for choice in values.items], "more": values.more}


def _error(error: PlatformError) -> dict[str, Any]:
    wait = None if error.retry_after is None else int(error.retry_after.total_seconds())
    return {"kind": error.kind.value, "error": error.message, "status": error.status, "retryAfter": wait}
