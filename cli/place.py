"""Decide what a command acts on: the services that the environment names, or a running development stack."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import SecretStr, ValidationError

from cli.errors import UserError
from cli.stack.files import Folder
from runtime.settings import Settings, comma_separated


@dataclass(frozen=True, slots=True)
class Place:
    """Hold the settings in effect. The other fields are a development stack's own; None where the environment rules."""

    settings: Settings
    temporal_address: str | None = None
    temporal_namespace: str | None = None
    workspace_id: str | None = None
    sandbox_url: str | None = None


def from_environment() -> Place:
    """Read the environment. Raises UserError as `read_settings` does."""
    return Place(read_settings())


def read_settings(**given: Any) -> Settings:
    """Read the environment for all settings that are not given.

    Raises UserError naming the variables at fault; of secrets it never repeats the value.
    """
    try:
        return Settings(**given)
    except ValidationError as error:
        prefix = str(Settings.model_config["env_prefix"])
        faults = [
            f"{prefix}{'_'.join(str(part) for part in fault['loc'][:1]).upper()}: {fault['msg']}"
            for fault in error.errors(include_input=False, include_url=False)
        ]
        raise UserError("The environment is not set up (see .env.example).\n  " + "\n  ".join(faults)) from None


def place_of(data_dir: Path | None) -> Place:
    """Return where to act: the stack in `data_dir` where one is given. Raises UserError."""
    if data_dir is None:
        return from_environment()
    folder = Folder(data_dir)
    running, state = folder.running(), folder.state()
    settings = read_settings(
        _env_file=None,
        database_url=SecretStr(running.database_url),
        encryption_keys=[SecretStr(folder.encryption_key())],
        sandbox_url=running.sandbox_url,
        private_account_hosts=comma_separated(state.private_account_hosts),
    )
    return Place(
        settings,
        running.temporal_address,
        running.temporal_namespace,
        state.workspace_id,
        running.sandbox_url,
    )
