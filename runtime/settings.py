"""The settings of every process, read from the environment; `runtime.temporal` reads Temporal's own variables.

A process reads only the settings of its part: it must not have secrets that it does not need, such as encryption keys.
"""

import stat
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    IPvAnyAddress,
    IPvAnyNetwork,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import make_url

from api.http.sockets import MOST_CONNECTIONS, MOST_PER_ADDRESS
from domain.ownership import BULK_STARTS_PER_S
from domain.post import LATE_AFTER
from domain.workspaces import AUDIT_KEPT, Retention, checked_days
from platforms.access.registered_apps import RegisteredApps
from platforms.http.addresses import AllowedHosts
from runtime.database_settings import DatabaseSettings
from runtime.limit_settings import LimitSettings
from runtime.media_settings import MediaSettings
from runtime.temporal_settings import TemporalSettings
from store.roles import Component, Role
from store.secrets.secret_values import SECRETS
from store.secrets.vault import Vault

_ENV_FILE = Path(".env")
_SECRET_FILES = Path("/run/secrets")
"""The folder of Docker's and Kubernetes' secrets: a file for each, named like its variable in lower case."""


def comma_separated(text: str) -> list[str]:
    """Return the parts of a list as it is written in the environment."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _comma_separated(value: object) -> object:
    return comma_separated(value) if isinstance(value, str) else value


class SettingsError(Exception):
    """The environment is not set up. The message names the variables at fault and repeats no secret."""


class Settings(DatabaseSettings, LimitSettings, MediaSettings, TemporalSettings, BaseSettings):
    """Settings that every part shares; they open no vault. Read by `read_settings`."""

    model_config = SettingsConfigDict(env_prefix="SOCIALSYNCER_", extra="ignore", hide_input_in_errors=True)

    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8000, ge=1, le=65535)
    api_host_names: Annotated[list[str], NoDecode, BeforeValidator(_comma_separated)] = Field(
        default_factory=list,
        description="host names, comma-separated, by which the api may be called; any if not set",
    )
    api_connections: int = Field(
        default=MOST_CONNECTIONS, ge=10, le=100_000, description="most connections that the api holds open"
    )
    api_connections_per_address: int = Field(
        default=MOST_PER_ADDRESS,
        ge=1,
        le=100_000,
        description="most of them from one address; behind a proxy all come from one, so set it to the same there",
    )
    bulk_starts_per_s: int = Field(
        default=BULK_STARTS_PER_S,
        ge=1,
        le=10_000,
        description="posts of bulk operations that all workers together deliver to their workflows in a second;"
        " those that are due within a minute are delivered at once",
    )
    api_drain_s: float = Field(
        default=0,
        ge=0,
        le=300,
        description="how long an api that is stopped still takes requests while /readyz says that it ends: some seconds"
        " more than a balancer takes to notice",
    )
    worker_health_host: str = "127.0.0.1"
    worker_health_port: int | None = Field(default=None, description="serves /healthz and /readyz of the worker if set")
    metrics_host: IPvAnyAddress = IPv4Address("127.0.0.1")
    metrics_port: int | None = Field(
        default=None,
        ge=1,
        le=65534,
        description="serves /metrics of the worker for Prometheus if set, those of the api on the port after it",
    )
    late_after_s: float = Field(
        default=LATE_AFTER.total_seconds(),
        gt=0,
        le=86400,
        description="how long after its due time a post that has not begun is late: logged, counted, shown in /statusz",
    )
    audit_days: int = Field(
        default=AUDIT_KEPT.days, ge=1, le=36_500, description="days for which lines of the audit trail are kept"
    )
    posts_kept_days: Annotated[int, AfterValidator(checked_days)] = Field(
        default=0, description="days for which posts that are settled are kept, 30 or more; 0 keeps them for ever"
    )
    worker_grace_s: float = Field(
        default=30,
        ge=0,
        le=3600,
        description="how long a worker that is stopped finishes sends and uploads before it hands them over",
    )
    operator_name: str | None = Field(
        default=None,
        max_length=80,
        description="your name for people who connect an account; pages of this service show it beside the workspace's",
    )
    redirect_urls: Annotated[list[str], NoDecode, BeforeValidator(_comma_separated)] = Field(
        default_factory=list,
        description="addresses, comma-separated, to which platforms may send people back; any https one if not set",
    )
    sandbox_url: str | None = Field(
        default=None,
        description="sends every platform's calls to this sandbox and answers example.com media from its samples",
    )
    base_urls: dict[str, str] = Field(
        default_factory=dict,
        description='JSON object of base URLs by platform, e.g. {"twitter": "http://localhost:8080"}',
    )
    private_media_hosts: Annotated[list[str], NoDecode, BeforeValidator(_comma_separated)] = Field(
        default_factory=list,
        description="host:port, comma-separated, from which media is fetched although the address is private",
    )
    private_account_hosts: Annotated[list[str], NoDecode, BeforeValidator(_comma_separated)] = Field(
        default_factory=list,
        description="host:port, comma-separated, of accounts' own servers that may be private or speak plain http",
    )
    private_webhook_hosts: Annotated[list[str], NoDecode, BeforeValidator(_comma_separated)] = Field(
        default_factory=list,
        description="host:port, comma-separated, of clients' endpoints that may be private or speak plain http",
    )
    forbidden_networks: Annotated[tuple[IPvAnyNetwork, ...], NoDecode, BeforeValidator(_comma_separated)] = Field(
        default=(),
        description="networks, comma-separated, that are never called although they are public, as 192.0.2.0/24",
    )
    platform_rate_limits: bool = Field(
        default=True, description="whether accounts keep to their platforms' rate limits; off to measure load"
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    def model_post_init(self, _context: Any) -> None:
        """Register every secret among the settings with the log's masks."""
        for name in type(self).model_fields:
            value = getattr(self, name)
            for setting in value if isinstance(value, list) else [value]:
                # Of `apps` only the secrets are masked: people search the log for the ids.
                if isinstance(setting, SecretStr) and name != "apps":
                    secret = setting.get_secret_value()
                    # Of the database's address only the password is masked: people search the log for the host.
                    is_address = name in {"database_url", "database_direct_url"}
                    SECRETS.remember(make_url(secret).password or "" if is_address else secret)

    @property
    def late_after(self) -> timedelta:
        """Return how long after its due time a post that has not begun is late."""
        return timedelta(seconds=self.late_after_s)

    @property
    def retention(self) -> Retention:
        """Return for how long a worker keeps what it deletes."""
        return Retention(timedelta(days=self.audit_days), self.media_kept, self.posts_kept_days)

    @property
    def own_addresses(self) -> tuple[str, ...]:
        """Return the addresses at which this service serves uploads, the api's own included."""
        own = (f"http://{host}:{self.api_port}" for host in (self.api_host, "localhost"))
        return (*filter(None, (self.public_url, self.media_public_url)), *own)

    @field_validator("private_media_hosts", "private_account_hosts", "private_webhook_hosts")
    @classmethod
    def _with_ports(cls, value: list[str]) -> list[str]:
        AllowedHosts(value)
        return value


class VaultSettings(Settings):
    """Settings of the worker and of commands that open accounts' credentials."""

    encryption_keys: Annotated[list[SecretStr], NoDecode, BeforeValidator(_comma_separated)] = Field(
        min_length=1,
        description="32-byte keys in base64url, comma-separated: the first encrypts (`socialsyncer keys secret`)",
    )

    apps: SecretStr = Field(
        default=SecretStr(""),
        description="JSON object of the apps that the operator has registered at the platforms (docs/apps.md)",
    )

    renewals: bool = Field(
        default=True,
        description="whether tokens are renewed; off for a copy of a database whose accounts another service uses",
    )

    @field_validator("encryption_keys")
    @classmethod
    def _usable(cls, value: list[SecretStr]) -> list[SecretStr]:
        Vault(value)
        return value

    @field_validator("apps")
    @classmethod
    def _readable(cls, value: SecretStr) -> SecretStr:
        for secret in RegisteredApps.parse(value.get_secret_value()).secrets():
            SECRETS.remember(secret)
        return value

    @property
    def registered_apps(self) -> RegisteredApps:
        """Return the apps by which accounts are connected and renewed."""
        return RegisteredApps.parse(self.apps.get_secret_value())


class MigrateSettings(Settings):
    """Settings of `socialsyncer migrate`, which logs in as the tables' owner: the roles of the other parts."""

    api_role: str | None = Field(default=None, description="the api's database role, which `migrate` grants its rights")
    api_role_password: SecretStr | None = Field(
        default=None, description="creates that role, or gives it this password, if set"
    )
    worker_role: str | None = Field(default=None, description="the same for the worker's role")
    worker_role_password: SecretStr | None = None

    @property
    def roles(self) -> list[Role]:
        """Return the roles to set up. Raises ValueError if one cannot be."""
        names = (
            (Component.API, self.api_role, self.api_role_password),
            (Component.WORKER, self.worker_role, self.worker_role_password),
        )
        roles = []
        for part, name, password in names:
            secret = password.get_secret_value() if password else ""
            if name:
                roles.append(Role(part, name, secret or None, has_limits=self.database_pooler is not None))
            elif secret:
                variable = f"SOCIALSYNCER_{part.upper()}_ROLE"
                raise ValueError(f"{variable}_PASSWORD is set, and {variable} is not")
        return roles

    @model_validator(mode="after")
    def _roles_can_be(self) -> "MigrateSettings":
        names = [role.name for role in self.roles]
        if len(set(names)) < len(names):
            raise ValueError("SOCIALSYNCER_API_ROLE and SOCIALSYNCER_WORKER_ROLE must be two roles")
        return self


S = TypeVar("S", bound=Settings)


def read_settings(kind: type[S], **values: Any) -> S:
    """Read one part's settings from the environment, `.env` and files of secrets, for all that are not among `values`.

    Raises SettingsError, which names the variables at fault; of secrets it never repeats the value.
    """
    try:
        secret_files = _SECRET_FILES if _SECRET_FILES.is_dir() else None
        return kind(**{"_env_file": _env_file(), "_secrets_dir": secret_files, **values})
    except ValidationError as error:
        prefix = str(kind.model_config["env_prefix"])
        faults = [
            "".join(f"{prefix}{field}: ".upper() for field in fault["loc"][:1])
            + fault["msg"].removeprefix("Value error, ")
            for fault in error.errors(include_input=False, include_url=False)
        ]
        raise SettingsError("The environment is not set up (see .env.example).\n  " + "\n  ".join(faults)) from None


def _env_file() -> Path | None:
    """Return `.env` of the working directory if there is one. Raises SettingsError if every user may write to it."""
    if not _ENV_FILE.exists():
        return None
    for path in (_ENV_FILE, _ENV_FILE.absolute().parent):
        if path.stat().st_mode & stat.S_IWOTH:
            raise SettingsError(
                f"{_ENV_FILE.absolute()} is not read: every user of this machine may write to {path.absolute()}. "
                "Start in another folder, or take that permission away."
            )
    return _ENV_FILE
