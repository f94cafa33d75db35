"""The settings of the connections to the database."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field, SecretStr, field_validator

from runtime.empty_settings import NoneIfEmpty
from store.dsn import parse_dsn


class DatabaseSettings(BaseModel):
    """The settings of the database that every part shares; a group of `runtime.settings.Settings`."""

    database_url: SecretStr = Field(description="postgresql://user:password@host:port/database?sslmode=…")
    database_direct_url: Annotated[SecretStr | None, NoneIfEmpty] = Field(
        default=None,
        description="the same database without a pooler in between, for what needs a session of its own: listening,"
        " locks, notifications, migrations and commands; by default database_url",
    )
    database_pooler: Annotated[Literal["transaction"] | None, NoneIfEmpty] = Field(
        default=None,
        description="whether database_url leads to a pooler such as PgBouncer, and how that shares its sessions",
    )
    database_connections: Annotated[int | None, NoneIfEmpty] = Field(
        default=None,
        ge=2,
        le=1000,
        description="most connections of one process, which stay open; by default 12 of an api, and 8 of a worker",
    )
    database_reserved: int = Field(
        default=2, ge=1, le=100, description="connections beside these, only for saving platforms' responses"
    )

    @property
    def direct_url(self) -> str:
        """Return the address of the database that leads to no pooler."""
        return (self.database_direct_url or self.database_url).get_secret_value()

    @field_validator("database_url", "database_direct_url")
    @classmethod
    def _with_driver(cls, value: SecretStr | None) -> SecretStr | None:
        if value is None:
            return None
        parse_dsn(value.get_secret_value())
        return SecretStr(f"postgresql+asyncpg://{value.get_secret_value().partition('://')[2]}")
