"""The apps that their platforms refuse, as this worker knows them: their posts are held without asking the platform."""

from collections.abc import Callable
from datetime import datetime

import structlog

from activities.persist import persist
from platforms.errors import ErrorKind, PlatformError
from store.apps.refusals import accept_app, refuse_app, refused_apps
from store.database import Database
from store.models import Account, AppRefusal

log = structlog.get_logger(__name__)


class Apps:
    """The refused apps of all platforms. One per worker; `refresh` brings it up to date with the other workers."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._refusals: list[AppRefusal] = []

    async def refresh(self) -> None:
        """Read which apps are refused now."""
        async with self._database.answers.reading() as session:
            self._refusals = await refused_apps(session)

    def check(self, account: Account, applies: Callable[[str], bool], released_at: datetime | None) -> None:
        """Raise PlatformError(operator) if a refusal of the account's app applies, by its code, to this send.

        A target that was released since the refusal is the probe that finds out whether the platform accepts the app.
        """
        for refusal in self._refusals_of(account):
            if applies(refusal.code) and (released_at is None or released_at <= refusal.last_refused_at):
                raise PlatformError(ErrorKind.OPERATOR, refusal.message, code=refusal.code)

    async def refuse(self, account: Account, error: PlatformError) -> None:
        """Save that the platform refuses the account's app."""

        async def write() -> None:
            async with self._database.answers.transaction() as session:
                await refuse_app(session, account.platform, account.app_id, error.code, error.message)

        await persist(write)
        if error.code not in {refusal.code for refusal in self._refusals_of(account)}:
            log.error("app.refused", platform=account.platform, app_id=account.app_id, code=error.code)
        await self.refresh()

    async def accept(self, account: Account, applies: Callable[[str], bool]) -> None:
        """Save that the platform has accepted the account's app: it published a post to which these refusals apply."""
        over = {refusal.code for refusal in self._refusals_of(account) if applies(refusal.code)}
        if not over:
            return
        async with self._database.answers.transaction() as session:
            await accept_app(session, account.platform, account.app_id, over)
        await self.refresh()
        log.warning("app.accepted", platform=account.platform, app_id=account.app_id, codes=sorted(over))

    def _refusals_of(self, account: Account) -> list[AppRefusal]:
        app = (account.platform, account.app_id)
        return [refusal for refusal in self._refusals if (refusal.platform, refusal.app_id) == app]
