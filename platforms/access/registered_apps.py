"""The apps that the operator has registered at the platforms: client ids and secrets, by platform and workspace.

They come from the environment (`SOCIALSYNCER_APPS`) and are never copied into accounts. An account keeps the id of the
app that it was connected by, and the secret is looked up when it is needed. So a new secret works for all accounts.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, TypeAdapter, ValidationError
from pydantic.alias_generators import to_camel

from platforms.access.connector import connectors
from platforms.app_rules import BOT_TOKEN, Bot
from platforms.base import AnyPlatform
from platforms.registry import platforms

_BY_PLATFORM = TypeAdapter(dict[str, Any])


@dataclass(frozen=True, slots=True)
class App:
    """An app at a platform. `options` are those that only its platform knows, by their names in the environment."""

    client_id: str
    client_secret: SecretStr | None = None
    options: Mapping[str, Any] = field(default_factory=dict, repr=False)
    without_scopes: frozenset[str] = frozenset()
    """The permissions that it does not ask for, because the platform has not approved it for them."""

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
    without_scopes: list[str] = Field(default_factory=list)

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
        self._entries = {name: tuple(apps) for name, apps in (entries or {}).items()}

    def __repr__(self) -> str:
        return f"RegisteredApps({', '.join(self._entries)})"

    @classmethod
    def parse(cls, text: str) -> "RegisteredApps":
        """Read the JSON. Raises ValueError, which names what is wrong and repeats no value."""
        try:
            setting = _BY_PLATFORM.validate_json(text or "{}")
        except ValidationError:
            raise ValueError('must be a JSON object by platform, such as {"twitter": {"clientId": "…"}}') from None
        return cls({name: _entries(name, app_or_apps) for name, app_or_apps in setting.items()})

    def workspace_app(self, platform: AnyPlatform, workspace_id: str) -> App | None:
        """Return the app by which a workspace connects accounts of a platform."""
        entries = self._platform_entries(platform)
        own = (entry for entry in entries if workspace_id in entry.workspaces)
        shared = (entry for entry in entries if not entry.workspaces)
        chosen = next(own, None) or next(shared, None)
        return _app(chosen) if chosen else None

    def by_client(self, platform: AnyPlatform, client_id: str, workspace_id: str) -> App | None:
        """Return the app of a platform by which an account was connected; None if the workspace may not use it."""
        entries = self._with_client(platform, client_id)
        return next((_app(entry) for entry in entries if entry.serves(workspace_id)), None)

    def is_of_others(self, platform: AnyPlatform, client_id: str, workspace_id: str) -> bool:
        """Return whether a client id is that of an app which the workspace may not use."""
        entries = self._with_client(platform, client_id)
        return bool(entries) and not any(entry.serves(workspace_id) for entry in entries)

    def apps(self, platform: AnyPlatform) -> list[App]:
        """Return all apps of a platform."""
        return [_app(entry) for entry in self._platform_entries(platform)]

    def is_shared(self, platform: AnyPlatform) -> bool:
        """Return whether a platform has an app for all workspaces."""
        return any(not entry.workspaces for entry in self._platform_entries(platform))

    def workspaces(self) -> set[str]:
        """Return the ids of all workspaces that have an app of their own."""
        return {workspace for entries in self._entries.values() for entry in entries for workspace in entry.workspaces}

    def secrets(self) -> list[str]:
        """Return all values that must never be shown."""
        return [secret for entries in self._entries.values() for entry in entries for secret in _secrets(entry)]

    def _with_client(self, platform: AnyPlatform, client_id: str) -> list[_Entry]:
        return [entry for entry in self._platform_entries(platform) if entry.client_id == client_id]

    def _platform_entries(self, platform: AnyPlatform) -> tuple[_Entry, ...]:
        return self._entries.get(platform.name) or self._entries.get(platform.app.family) or ()


def _entries(name: str, app_or_apps: Any) -> list[_Entry]:
    served = [platform for platform in platforms().values() if name in {platform.name, platform.app.family}]
    if not served:
        known = sorted(
            {name for platform in platforms().values() for name in (platform.name, platform.app.family) if name}
        )
        raise ValueError(f"{name[:40]!r} is no platform: {', '.join(known)}")
    options = {option for platform in served for option in platform.app.options}
    entries = []
    for app in app_or_apps if isinstance(app_or_apps, list) else [app_or_apps]:
        try:
            entry = _Entry.model_validate(app)
        except ValidationError as error:
            where = ".".join(str(part) for part in error.errors(include_input=False)[0]["loc"])
            raise ValueError(f"{name}: {where or 'an app'} is not what it must be") from None
        if unknown := sorted({*(entry.model_extra or {})} - options):
            raise ValueError(f"{name}: unknown field {unknown[0][:40]!r}")
        if not entry.client_id and all(platform.app.bot is Bot.WHOLE_APP for platform in served):
            # A bot's token begins with its number.
            token = str((entry.model_extra or {}).get(BOT_TOKEN) or "")
            entry.client_id = token.partition(":")[0] if ":" in token else ""
        leavable = {scope for platform in served if entry.without_scopes for scope in _unneeded_scopes(platform)}
        if not leavable.issuperset(entry.without_scopes):
            raise ValueError(f"{name}: withoutScopes may name {', '.join(sorted(leavable)) or 'nothing'}")
        if not entry.client_id and not all(platform.app.registers_itself for platform in served):
            raise ValueError(f"{name}: clientId is missing")
        entries.append(entry)
    return entries


def _unneeded_scopes(platform: AnyPlatform) -> frozenset[str]:
    connector = connectors().get(platform.name)
    return connector.unneeded_scopes if connector else frozenset()


def _app(entry: _Entry) -> App:
    return App(entry.client_id, entry.client_secret, entry.model_extra or {}, frozenset(entry.without_scopes))


def _secrets(entry: _Entry) -> list[str]:
    options = entry.model_extra or {}
    hidden = [value for name, value in options.items() if name.endswith("Token") and isinstance(value, str)]
    return hidden + ([entry.client_secret.get_secret_value()] if entry.client_secret else [])
