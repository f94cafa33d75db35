"""Apps that their networks refuse, as this worker knows them: their posts are held without asking the network."""

from datetime import datetime

import structlog

from activities.persist import persist
from platforms.errors import Kind, NetworkError
from store.app_refusals import accept_app, refuse_app, refused_apps
from store.database import Database
from store.models import Account, AppRefusal

log = structlog.get_logger(__name__)


class Apps:
    """The refused apps of all networks. One per worker; `refresh` brings it up to date with the other workers."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._refused: dict[tuple[str, str], AppRefusal] = {}

    async def refresh(self) -> None:
        """Read which apps are refused now."""
        async with self._database.answers.reading() as session:
            self._refused = {(app.platform, app.app_id): app for app in await refused_apps(session)}

    def check(self, account: Account, released_at: datetime | None) -> None:
        """Raise NetworkError(operator) if the account's app is refused, unless the target was released since then.

        A released target is the probe that finds out whether the network accepts the app again.
        """
        app = self._refused.get((account.platform, account.app_id))
        if app and (released_at is None or released_at <= app.last_refused_at):
            raise NetworkError(Kind.OPERATOR, app.message, code=app.code)

    async def refuse(self, account: Account, error: NetworkError) -> None:
        """Note that the network refuses the account's app."""

        async def write() -> None:
            async with self._database.answers.transaction() as session:
                await refuse_app(session, account.platform, account.app_id, error.code, error.message)

        await persist(write)
        if (account.platform, account.app_id) not in self._refused:
            log.error("app.refused", platform=account.platform, app_id=account.app_id, code=error.code)
        await self.refresh()

    async def accept(self, account: Account) -> None:
        """Note that the network has accepted the account's app: a post was published with it."""
        if self._refused.pop((account.platform, account.app_id), None):
            async with self._database.answers.transaction() as session:
                await accept_app(session, account.platform, account.app_id)
            log.warning("app.accepted", platform=account.platform, app_id=account.app_id)
