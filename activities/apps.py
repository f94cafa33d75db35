"""The apps and accounts that their platforms refuse: their posts are held."""

import asyncio
import time
from collections.abc import Callable

import httpx
import structlog
from temporalio import activity

from accounts.credentials.connections import AccountConnections
from activities.step_context import StepContext
from domain.post import TargetStatus
from platforms.errors import ACCOUNT_LOCKED, ErrorKind, PlatformError
from store.accounts.connected import refuse_account
from store.apps import accept_app, hasten_probe, refuse_app, refused_apps
from store.database import Database
from store.failures import persist
from store.models import Account, AppRefusal, Target

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


_HASTENED_EVERY_S = 15.0
"""Long enough for a probe and its answer; our choice."""


class Apps:
    """The refused apps of all platforms. One per worker; `refresh` brings it up to date with the other workers."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._refusals: list[AppRefusal] = []
        self._hastened_at: dict[tuple[str, str, str], float] = {}

    async def refresh(self) -> None:
        """Read which apps are refused now."""
        async with self._database.answers.reading() as session:
            self._refusals = await refused_apps(session)

    async def check(self, account: Account, applies: Callable[[str], bool], target: Target) -> None:
        """Raise PlatformError(operator) if a refusal of the account's app applies, by its code, to this send.

        A target that was released since the refusal is the probe that finds out whether the platform accepts the app.
        If a held target is tried without that, a person has asked for it: then the app is probed now.
        """
        for refusal in self._account_refusals(account):
            if applies(refusal.code) and (target.released_at is None or target.released_at <= refusal.last_refused_at):
                if target.status == TargetStatus.HELD:
                    await self._hasten_probe(refusal)
                raise PlatformError(ErrorKind.OPERATOR, refusal.message, code=refusal.code)

    async def _hasten_probe(self, refusal: AppRefusal) -> None:
        """Probe an app now, unless it was to be probed a moment ago: a person may retry thousands of posts together."""
        key, now = (refusal.platform, refusal.app_id, refusal.code), time.monotonic()
        if now - self._hastened_at.get(key, float("-inf")) < _HASTENED_EVERY_S:
            return
        self._hastened_at[key] = now
        async with self._database.answers.transaction() as session:
            hastened = await hasten_probe(session, *key)
        if hastened:
            log.info("app.probe_hastened", platform=refusal.platform, app_id=refusal.app_id, code=refusal.code)

    async def refuse(self, account: Account, error: PlatformError) -> None:
        """Save that the platform refuses the account's app."""

        async def write() -> None:
            async with self._database.answers.transaction() as session:
                await refuse_app(session, account.platform, account.app_id, error.code, error.message)

        await persist(write)
        if error.code not in {refusal.code for refusal in self._account_refusals(account)}:
            log.error("app.refused", platform=account.platform, app_id=account.app_id, code=error.code)
        await self.refresh()

    async def accept(self, account: Account, applies: Callable[[str], bool]) -> None:
        """Save that the platform has accepted the account's app: it published a post to which these refusals apply."""
        over = {refusal.code for refusal in self._account_refusals(account) if applies(refusal.code)}
        if not over:
            return
        async with self._database.answers.transaction() as session:
            await accept_app(session, account.platform, account.app_id, over)
        await self.refresh()
        log.warning("app.accepted", platform=account.platform, app_id=account.app_id, codes=sorted(over))

    def _account_refusals(self, account: Account) -> list[AppRefusal]:
        app = (account.platform, account.app_id)
        return [refusal for refusal in self._refusals if (refusal.platform, refusal.app_id) == app]
