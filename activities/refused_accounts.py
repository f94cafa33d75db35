"""The decision whether a platform refuses an account, whose posts are then held, or only one post's request."""

import asyncio

import httpx
import structlog
from temporalio import activity

from accounts.credentials.connections import AccountConnections
from activities.step_context import StepContext
from platforms.errors import ACCOUNT_LOCKED, ErrorKind, PlatformError
from store.accounts.connected import refuse_account
from store.database import Database
from store.failures import persist

log = structlog.get_logger(__name__)

_TRIES = 3
"""From this try on, a refusal counts as the post's, if the platform accepts the account at every try."""
_QUESTION_S = 20
"""The seconds in which the platform must report the account of the credentials."""


class RefusedAccounts:
    """The accounts that their platforms refuse, as the steps of one worker find them out."""

    def __init__(self, database: Database, accounts: AccountConnections) -> None:
        self._database = database
        self._accounts = accounts

    async def verify(self, step: StepContext, error: PlatformError) -> PlatformError:
        """Return the meaning of an error of kind `auth`, after asking the platform for the account.

        A refused account holds all of its posts, so one post's error alone does not refuse it: the error for a
        forbidden reply or board often resembles that for a lost permission. If the platform knows the account, the step
        is tried again, and the third time the post is at fault. If the platform cannot be asked, the step is tried
        again as well; nothing was published. A platform that names the account's own state is believed.
        """
        if error.code == ACCOUNT_LOCKED:
            return error
        try:
            async with asyncio.timeout(_QUESTION_S):
                await self._accounts.whoami(step.account)
        except PlatformError as answer:
            if answer.kind is ErrorKind.AUTH:
                return error
            return _later(error)
        except TimeoutError:
            return _later(error)
        log.info("account.accepted_still", account_id=step.account.id, code=error.code)
        # A 401 never means the post: it may be a gateway's.
        is_posts = error.status != httpx.codes.UNAUTHORIZED and activity.info().attempt >= _TRIES
        return error.as_rejected() if is_posts else _later(error)

    async def hold(self, step: StepContext, error: PlatformError) -> bool:
        """Hold all posts of an account that its platform refuses; False if it was reconnected meanwhile."""

        async def refuse() -> bool:
            async with self._database.answers.transaction() as session:
                used = step.account.credentials
                return await refuse_account(session, step.account, used, error.message, error.code)

        noted = await persist(refuse)
        log.warning("account.refused", account_id=step.account.id, code=error.code, noted=noted)
        return noted


def _later(error: PlatformError) -> PlatformError:
    return PlatformError(
        ErrorKind.TRANSIENT, error.message, code=error.code, status=error.status, request_id=error.request_id
    )
