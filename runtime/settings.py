"""The settings of every process, read from the environment; `runtime.temporal` reads Temporal's own variables.

A process reads only the settings of its part: it must not have secrets that it does not need, such as encryption keys.
"""

import math
import stat
from datetime import timedelta
from ipaddress import IPv4Address
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
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
from api.shared.workspace_usage import MOST_MB, MOST_OPEN_POSTS, MOST_POSTS
from domain.bounds import MOST_ACCOUNTS
from domain.delivery import BULK_STARTS_PER_S
from domain.post import LATE_AFTER
from domain.request_limits import POSTS_PER_MINUTE, REQUESTS_PER_MINUTE, WINDOW_S, Policy, posts_policy, requests_policy
from domain.uploads import MEDIA_KEPT, UPLOAD_QUOTA
from platforms.access.registered_apps import RegisteredApps
from platforms.http.hosts import AllowedHosts
from storage.opening import storage_opener
from store.audit.trail import AUDIT_KEPT
from store.roles import Component, Role
from store.secrets.secret_values import SECRETS
from store.secrets.vault import Vault

_ENV_FILE = Path(".env")
_OLD_RATE, _OLD_BURST = 100.0, 1_000
"""The defaults of api_rate and api_burst in version 0.1."""
_SECRET_FILES = Path("/run/secrets")
"""The folder of Docker's and Kubernetes' secrets: a file for each, named like its variable in lower case."""


def comma_separated(text: str) -> list[str]:
    """Return the parts of a list as it is written in the environment."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _comma_separated(value: object) -> object:
    return comma_separated(value) if isinstance(value, str) else value


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


class SettingsError(Exception):
    """The environment is not set up. The message names the variables at fault and repeats no secret."""


class Settings(BaseSettings):
    """Settings that every part shares; they open no vault. Read by `read_settings`."""

    model_config = SettingsConfigDict(env_prefix="SOCIALSYNCER_", extra="ignore", hide_input_in_errors=True)

    database_url: SecretStr = Field(description="postgresql://user:password@host:port/database")
    database_connections: int = Field(
        default=30, ge=2, le=1000, description="most connections of one process; two thirds of them are kept open"
    )
    database_reserved: int = Field(
        default=4, ge=1, le=100, description="connections beside these, only for saving platforms' responses"
    )
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
    requests_per_minute: int = Field(
        default=REQUESTS_PER_MINUTE,
        ge=0,
        le=6_000_000,
        description="requests that an API key without a rate of its own may make, at all api processes; 0: any number",
    )
    posts_per_minute: int = Field(
        default=POSTS_PER_MINUTE,
        ge=0,
        le=6_000_000,
        description="posts that a workspace may create or change, at all api processes; 0: any number",
    )
    api_rate: float | None = Field(
        default=None,
        ge=0,
        le=100_000,
        description="the name of requests_per_minute in version 0.1, a second; read if that is not set",
    )
    api_burst: int | None = Field(
        default=None, ge=1, le=1_000_000, description="of version 0.1: requests at once; read if that is not set"
    )
    max_open_posts: int = Field(
        default=MOST_OPEN_POSTS,
        ge=0,
        le=100_000_000,
        description="posts of one workspace that may be drafts, scheduled or publishing; 0 for any number",
    )
    max_posts: int = Field(
        default=MOST_POSTS, ge=0, le=10**12, description="posts of one workspace in all; 0 for any number"
    )
    max_posts_mb: int = Field(
        default=MOST_MB, ge=0, le=10**9, description="MiB of all posts of one workspace; 0 for any number"
    )
    max_media_mb: int = Field(
        default=UPLOAD_QUOTA // 2**20, ge=0, le=10**9, description="MiB of one workspace's uploads; 0 for any number"
    )
    max_accounts: int = Field(
        default=MOST_ACCOUNTS, ge=0, le=10**9, description="accounts that a workspace may connect; 0 for any number"
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
    public_url: str | None = Field(
        default=None,
        pattern=r"^(https?://[^\s?#]+)?$",
        description="the address at which platforms reach the api, for converted media that they fetch",
    )
    storage: Annotated[str | None, BeforeValidator(_none_if_empty)] = Field(
        default=None,
        description="where uploads are: file:DIR, a directory that the api and all workers share, or s3://bucket/prefix?endpoint=…",
    )
    media_public_url: Annotated[str | None, BeforeValidator(_none_if_empty)] = Field(
        default=None,
        pattern=r"^https?://[^\s?#]+$",
        description="the address at which platforms and people reach uploads if it is another, such as a CDN's",
    )
    media_keep_days: int = Field(
        default=MEDIA_KEPT.days,
        ge=0,
        le=36_500,
        description="days for which an upload is kept after the last post that names it can be retried no more",
    )
    verification_files: dict[str, str] = Field(
        default_factory=dict,
        description="JSON object of small texts by file name, served under /media/ for platforms that verify it",
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
    media_fetches: int = Field(
        default=10,
        ge=1,
        le=30,
        description="how many media files of one workspace a worker fetches at the same time",
    )
    media_disk_mb: Annotated[int | None, BeforeValidator(_none_if_empty)] = Field(
        default=None,
        ge=64,
        description="MiB that all media of a worker may take on disk; by default half of what is free, at most 16,384",
    )
    media_memory_mb: int = Field(
        default=2048,
        ge=512,
        le=65536,
        description="MiB of address space that decoding one media file may take; a worker decodes up to five at a time",
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
                    SECRETS.remember(make_url(secret).password or "" if name == "database_url" else secret)

    @property
    def late_after(self) -> timedelta:
        """Return how long after its due time a post that has not begun is late."""
        return timedelta(seconds=self.late_after_s)

    @property
    def requests_policy(self) -> Policy:
        """Return the limit of the requests of a key: if only the settings of version 0.1 are set, by these."""
        if "requests_per_minute" in self.model_fields_set or not self.has_old_limits:
            return requests_policy(self.requests_per_minute)
        rate = _OLD_RATE if self.api_rate is None else self.api_rate
        return requests_policy(math.ceil(rate * WINDOW_S), self.api_burst or _OLD_BURST)

    @property
    def has_old_limits(self) -> bool:
        """Return whether a limit is set by a name of version 0.1."""
        return self.api_rate is not None or self.api_burst is not None

    @property
    def posts_policy(self) -> Policy:
        """Return the limit of the posts of a workspace. In version 0.1, api_rate was that of posts, too."""
        if "posts_per_minute" not in self.model_fields_set and self.api_rate == 0:
            return posts_policy(0)
        return posts_policy(self.posts_per_minute)

    @property
    def audit_kept(self) -> timedelta:
        """Return for how long lines of the audit trail are kept."""
        return timedelta(days=self.audit_days)

    @property
    def media_kept(self) -> timedelta:
        """Return how long an upload is kept after its last post can be retried no more."""
        return timedelta(days=self.media_keep_days)

    @property
    def uploads_base(self) -> str | None:
        """Return the address before the public addresses of uploads; None if platforms cannot reach this service."""
        return self.media_public_url or self.public_url or None

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

    @field_validator("storage")
    @classmethod
    def _known_storage(cls, value: str | None) -> str | None:
        if value is not None:
            storage_opener(value)
        return value

    @field_validator("database_url")
    @classmethod
    def _with_driver(cls, value: SecretStr) -> SecretStr:
        scheme, separator, rest = value.get_secret_value().partition("://")
        if not separator or scheme.split("+")[0] not in {"postgres", "postgresql"}:
            raise ValueError("must start with postgresql://")
        return SecretStr(f"postgresql+asyncpg://{rest}")


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
                roles.append(Role(part, name, secret or None))
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
