"""Read every process's configuration from the environment; `runtime.temporal` reads Temporal's own variables."""

from datetime import timedelta
from ipaddress import IPv4Address
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, IPvAnyAddress, SecretStr, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from activities.allowed_hosts import AllowedHosts
from domain.post import LATE_AFTER


def comma_separated(text: str) -> list[str]:
    """Return the parts of a list as it is written in the environment."""
    return [part.strip() for part in text.split(",") if part.strip()]


def _comma_separated(value: object) -> object:
    return comma_separated(value) if isinstance(value, str) else value


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


class Settings(BaseSettings):
    """Hold what the api, the worker and the command line share."""

    model_config = SettingsConfigDict(
        env_prefix="SOCIALSYNCER_", env_file=".env", extra="ignore", hide_input_in_errors=True
    )

    database_url: SecretStr = Field(description="postgresql://user:password@host:port/database")
    database_connections: int = Field(
        default=30, ge=2, le=1000, description="most connections of one process; two thirds of them are kept open"
    )
    database_reserved: int = Field(
        default=4, ge=1, le=100, description="connections beside these, for writing down what networks answered"
    )
    encryption_keys: Annotated[list[SecretStr], NoDecode, BeforeValidator(_comma_separated)] = Field(
        min_length=1,
        description="32-byte keys in base64url, comma-separated: the first encrypts (`socialsyncer keys secret`)",
    )
    api_host: str = "127.0.0.1"
    api_port: int = Field(default=8000, ge=1, le=65535)
    api_names: Annotated[list[str], NoDecode, BeforeValidator(_comma_separated)] = Field(
        default_factory=list,
        description="host names, comma-separated, by which the api may be called; any if not set",
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
        description="how long after its due time a post that has not begun is late: logged, counted, shown in /readyz",
    )
    worker_grace_s: float = Field(
        default=30,
        ge=0,
        le=3600,
        description="how long a worker that is told to stop finishes sends and uploads before it hands them over",
    )
    sandbox_url: str | None = Field(
        default=None,
        description="sends every network's calls to this sandbox and answers example.com media from its samples",
    )
    base_urls: dict[str, str] = Field(
        default_factory=dict,
        description='JSON object of base URLs by platform, e.g. {"twitter": "http://localhost:8080"}',
    )
    public_url: str | None = Field(
        default=None,
        pattern=r"^(https?://[^\s?#]+)?$",
        description="where the networks reach the api, for media that had to be converted and that they fetch",
    )
    private_media_hosts: Annotated[list[str], NoDecode, BeforeValidator(_comma_separated)] = Field(
        default_factory=list,
        description="host:port, comma-separated, from which media is fetched although the address is private",
    )
    private_account_hosts: Annotated[list[str], NoDecode, BeforeValidator(_comma_separated)] = Field(
        default_factory=list,
        description="host:port, comma-separated, of accounts' own servers that may be private or speak plain http",
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
    pacing: bool = Field(
        default=True, description="whether accounts publish no faster than their networks allow; off to measure load"
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: Literal["json", "console"] = "json"

    @property
    def late_after(self) -> timedelta:
        """Return how long after its due time a post that has not begun is late."""
        return timedelta(seconds=self.late_after_s)

    @field_validator("private_media_hosts", "private_account_hosts")
    @classmethod
    def _with_ports(cls, value: list[str]) -> list[str]:
        AllowedHosts(value)
        return value

    @field_validator("database_url")
    @classmethod
    def _with_driver(cls, value: SecretStr) -> SecretStr:
        scheme, separator, rest = value.get_secret_value().partition("://")
        if not separator or scheme.split("+")[0] not in {"postgres", "postgresql"}:
            raise ValueError("must start with postgresql://")
        return SecretStr(f"postgresql+asyncpg://{rest}")
