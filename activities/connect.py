"""The activity that takes the steps of connecting accounts; only ids go through Temporal."""

import asyncio

import structlog
from temporalio import activity

from accounts.connecting.context import ConnectContext
from accounts.connecting.grants import revoke_obtained
from accounts.connecting.refusals import ConnectRefused, refusal_for, unanswered
from accounts.connecting.steps import begin, finish, push, select
from accounts.credentials.connections import AccountConnections
from activities.commands import ConnectCommand
from platforms.errors import PlatformError
from store.accounts.pending_connections import find_connection
from store.database import Database
from store.failures import persist
from store.secrets.handover import HandoverError
from store.secrets.vault import VaultError

log = structlog.get_logger(__name__)

_STEP_S = 21.0
"""The time limit of a step: it ends before its workflow does, so a repeated request does not meet a running step."""


class Connecting:
    """The worker's part of connecting accounts."""

    def __init__(self, database: Database, accounts: AccountConnections, most_accounts: int) -> None:
        self._database = database
        self._accounts = accounts
        self._most_accounts = most_accounts

    @activity.defn
    async def connect(self, command: ConnectCommand) -> None:
        """Take one step, and save its result. A repeated step continues from the saved state."""
        async with self._database.reading() as session:
            row = await find_connection(session, command.connection_id)
        if row is None:
            return
        context = ConnectContext(self._database, self._accounts, row, self._most_accounts)
        take, column = {
            "begin": (begin, "outcome"),
            "push": (push, "outcome"),
            "finish": (finish, "outcome"),
            "select": (select, "selection_result"),
        }[command.step]
        try:
            async with asyncio.timeout(_STEP_S):
                await take(context)
                return
        except ConnectRefused as error:
            refused = error
        except PlatformError as error:
            refused = refusal_for(context.platform, error, context.server_param)
        except TimeoutError:
            refused = unanswered(context.platform)
        except (VaultError, HandoverError):
            refused = ConnectRefused("connection_expired", "This connection can no longer be read. Start again.")
        outcome = refused.outcome
        log.info("connect.refused", platform=row.platform, code=outcome["error"]["code"], final=outcome["final"])
        if not outcome["final"] or not context.obtained:
            await context.write(**{column: outcome})
            return

        async def end() -> None:
            async with context.database.answers.transaction() as session:
                await revoke_obtained(session, context, **{column: outcome})

        await persist(end)
