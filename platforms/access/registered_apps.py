"""The apps that the operator has registered at the platforms: client ids and secrets, by platform and workspace.

They come from the environment (`SOCIALSYNCER_APPS`) and are never copied into accounts. An account keeps the id of the
app that it was connected by, and the secret is looked up when it is needed. So a new secret works for all accounts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from platforms.base import AnyPlatform
from platforms.registry import platforms

_BY_PLATFORM = TypeAdapter(dict[str, Any])


@dataclass(frozen=True, slots=True)
class App:
    """An app at a platform. `options` are those that only its platform knows, by their names in the environment."""

    client_id: str
    client_secret: SecretStr | None = None
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)

    @property
    def secret(self) -> str:
        """Return the client secret in clear, empty if there is none."""
        return self.client_secret.get_secret_value() if self.client_secret else ""


class _Entry(BaseModel):
    """An app as the environment names it. `workspaces` are those that it is for; all if there are none."""

    model_config = ConfigDict(alias_generator=to_camel, extra="allow", strict=True, hide_input_in_errors=True)

    client_id: str = Field("", validation_alias=AliasChoices("clientId", "clientKey"))
    client_secret: SecretStr | None = None
    workspaces: list[str] = Field(default_factory=list)

    def serves(self, workspace_id: str) -> bool:
        """Return whether a workspace may use the app."""
        return not self.workspaces or workspace_id in self.workspaces


class RegisteredApps:
    """The apps of one process.

    They are given as a JSON object by platform: an app, or a list of them. New connections of a workspace use the first
    app that names it, otherwise the first that names no workspace. The others still serve the accounts that they
    connected.
    """

    def __init__(self, entries: Mapping[str, Iterable[_Entry]] | None = None) -> None:
        self._entries = {name: tuple(each) for name, each in (entries or {}).items()}

    def __repr__(self) -> str:
        return f"RegisteredApps({', '.join(self._entries)})"

    @classmethod
    def parse(cls, text: str) -> "RegisteredApps":
        """Read the JSON. Raises ValueError, which names what is wrong and repeats no value."""
        try:
            given = _BY_PLATFORM.validate_json(text or "{}")
        except ValidationError:
            raise ValueError('must be a JSON object by platform, such as {"twitter": {"clientId": "…"}}') from None
        return cls({name: _entries(name, each) for name, each in given.items()})

    def of_workspace(self, platform: AnyPlatform, workspace_id: str) -> App | None:
        """Return the app by which a workspace connects accounts of a platform."""
        found = self._of(platform)
        own = (each for each in found if workspace_id in each.workspaces)
        shared = (each for each in found if not each.workspaces)
        entry = next(own, None) or next(shared, None)
        return _app(entry) if entry else None

    def by_client(self, platform: AnyPlatform, client_id: str, workspace_id: str) -> App | None:
        """Return the app of a platform by which an account was connected; None if the workspace may not use it."""
        entries = self._with_client(platform, client_id)
        return next((_app(entry) for entry in entries if entry.serves(workspace_id)), None)

    def is_of_others(self, platform: AnyPlatform, client_id: str, workspace_id: str) -> bool:
        """Return whether a client id is that of an app which the workspace may not use."""
        entries = self._with_client(platform, client_id)
        return bool(entries) and not any(entry.serves(workspace_id) for entry in entries)

    def all_of(self, platform: AnyPlatform) -> list[App]:
        """Return all apps of a platform."""
        return [_app(each) for each in self._of(platform)]

    def is_shared(self, platform: AnyPlatform) -> bool:
        """Return whether a platform has an app for all workspaces."""
        return any(not each.workspaces for each in self._of(platform))

    def workspaces(self) -> set[str]:
        """Return the ids of all workspaces that have an app of their own."""
        return {workspace for found in self._entries.values() for each in found for workspace in each.workspaces}

    def secrets(self) -> list[str]:
        """Return all values that must never be shown."""
        return [secret for found in self._entries.values() for each in found for secret in _secrets(each)]

    def _with_client(self, platform: AnyPlatform, client_id: str) -> list[_Entry]:
        return [entry for entry in self._of(platform) if entry.client_id == client_id]

    def _of(self, platform: AnyPlatform) -> tuple[_Entry, ...]:
        return self._entries.get(platform.name) or self._entries.get(platform.app_family) or ()


def _entries(name: str, given: Any) -> list[_Entry]:
    served = [platform for platform in platforms().values() if name in {platform.name, platform.app_family}]
    if not served:
        known = sorted(
            {name for platform in platforms().values() for name in (platform.name, platform.app_family) if name}
        )
        raise ValueError(f"{name[:40]!r} is no platform: {', '.join(known)}")
    options = {option for each in served for option in each.app_options}
    found = []
    for each in given if isinstance(given, list) else [given]:
        try:
            entry = _Entry.model_validate(each)
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
            raise ValueError(f"{name}: {where or 'an app'} is not what it must be") from None
        if unknown := sorted({*(entry.model_extra or {})} - options):
            raise ValueError(f"{name}: unknown field {unknown[0][:40]!r}")
        if not entry.client_id and all(platform.bot_names_app for platform in served):
            # A bot's token begins with its number.
            token = str((entry.model_extra or {}).get("botToken") or "")
            entry.client_id = token.partition(":")[0] if ":" in token else ""
        if not entry.client_id and not all(platform.registers_itself for platform in served):
            raise ValueError(f"{name}: clientId is missing")
        found.append(entry)
    return found


def _app(entry: _Entry) -> App:
    return App(entry.client_id, entry.client_secret, entry.model_extra or {})


def _secrets(entry: _Entry) -> list[str]:
    options = entry.model_extra or {}
    hidden = [value for name, value in options.items() if name.endswith("Token") and isinstance(value, str)]
    return hidden + ([entry.client_secret.get_secret_value()] if entry.client_secret else [])
