"""The first setup of a stack: the tables, Temporal's namespace, the workspace and its accounts.

It is separate from `cli.dev` because its imports take a second, in which PostgreSQL and Temporal start.
"""

from pydantic import SecretStr

from cli.data_dir import DevAccount, StackState
from cli.environment import make_settings
from cli.errors import UserError
from cli.migrating import register_search_attributes
from cli.stack.seed import seed
from cli.stack.temporal import Temporal
from runtime.logging import configure
from runtime.settings import MigrateSettings, VaultSettings
from store.migrate import upgrade
from store.schema.revisions import SchemaError
from workflows.search_attributes import REGISTRY


class Bootstrap:
    """The setup that needs a running database and Temporal. Every step may be repeated."""

    def __init__(self, database_url: str, roles: dict[str, str], encryption_key: str, sandbox_url: str) -> None:
        # The terminal shows our own messages instead of these libraries' logs.
        configure("error", "console")
        self._sandbox_url = sandbox_url
        self._roles = make_settings(MigrateSettings, _env_file=None, database_url=database_url, **roles).roles
        self._settings = make_settings(
            VaultSettings,
            _env_file=None,
            database_url=SecretStr(database_url),
            encryption_keys=[SecretStr(encryption_key)],
            sandbox_url=sandbox_url,
        )

    async def migrate(self, temporal: Temporal) -> None:
        """Bring the tables, the database roles, the search attributes and the retention up to date. Raises UserError.

        No process of another version uses a stack, so what only older versions use is removed, too.
        """
        try:
            await upgrade(self._settings.database_url.get_secret_value(), self._roles, contract=True)
        except SchemaError as error:
            raise UserError(str(error)) from None
        await temporal.keep_history()
        await register_search_attributes(await temporal.client(), REGISTRY)

    async def seed(self, state: StackState) -> list[DevAccount]:
        """Create the workspace, its key and its accounts, and register them with the sandbox. Raises UserError."""
        return await seed(self._settings, self._sandbox_url, state)
