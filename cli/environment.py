"""The services on which a command acts: those that the environment names, or a running development stack."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from pydantic import SecretStr

from cli.data_dir import DEFAULT_DATA_DIR, Folder
from cli.errors import UserError
from runtime.settings import Settings, SettingsError, comma_separated, read_settings
from store.database import OF_COMMANDS, Database, TimeLimits

S = TypeVar("S", bound=Settings)


@dataclass(frozen=True, slots=True)
class Environment(Generic[S]):
    """The settings in effect. The other fields are a development stack's own; None if the environment rules."""

    settings: S
    temporal_address: str | None = None
    temporal_namespace: str | None = None
    workspace_id: str | None = None
    sandbox_url: str | None = None


def find_environment(data_dir: Path | None, kind: type[S]) -> Environment[S]:
    """Return the settings of one kind, for the stack in `data_dir` if one is given. Raises UserError."""
    if data_dir is None:
        return Environment(_settings_without_a_stack(kind))
    folder = Folder(data_dir)
    running, state = folder.running(), folder.state()
    settings = make_settings(
        kind,
        _env_file=None,
        database_url=SecretStr(running.database_url),
        # The kind of settings decides which of these it uses.
        encryption_keys=[SecretStr(folder.encryption_key())],
        **state.roles,
        sandbox_url=running.sandbox_url,
        private_account_hosts=comma_separated(state.private_account_hosts),
        storage=folder.storage,
    )
    return Environment(
        settings,
        running.temporal_address,
        running.temporal_namespace,
        state.workspace_id,
        running.sandbox_url,
    )


@asynccontextmanager
async def open_database(environment: Environment[S], limits: TimeLimits = OF_COMMANDS) -> AsyncIterator[Database]:
    """Open the database of an environment for the duration of a command."""
    database = Database(environment.settings.direct_url, limits=limits)
    try:
        yield database
    finally:
        await database.close()


def _settings_without_a_stack(kind: type[S]) -> S:
    try:
        return make_settings(kind)
    except UserError as error:
        hint = "To act on a development stack, add --data-dir and the folder that `socialsyncer dev` uses."
        if Folder(DEFAULT_DATA_DIR).dev_file.exists():
            hint = f"To act on the stack that runs here, add --data-dir {DEFAULT_DATA_DIR}."
        raise UserError(f"{error.message}\n{hint}") from None


def make_settings(kind: type[S], **values: Any) -> S:
    """Read the environment for the settings that are not given. Raises UserError."""
    try:
        return read_settings(kind, **values)
    except SettingsError as error:
        raise UserError(str(error)) from None
