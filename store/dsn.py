"""The address of the database: one URL for pools, listeners, migrations and commands, with its TLS.

The parameters, the variables PGSSL… and the files in ~/.postgresql are those of PostgreSQL's own library, libpq
(https://www.postgresql.org/docs/18/libpq-ssl.html). A process reads certificates when it starts.
"""

import ipaddress
import os
import socket
import ssl
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any

import asyncpg
from sqlalchemy import make_url
from sqlalchemy.dialects.postgresql.asyncpg import dialect
from sqlalchemy.engine import URL, Dialect
from sqlalchemy.exc import ArgumentError

from store.hosts import Hosts

_DRIVER = "postgresql+asyncpg"
_DIALECT: Dialect = dialect()  # type: ignore[no-untyped-call]
_DEFAULT_FILES = {
    "sslrootcert": "root.crt",
    "sslcrl": "root.crl",
    "sslcert": "postgresql.crt",
    "sslkey": "postgresql.key",
}
"""The parameters that name a file, and the file in ~/.postgresql that is read if they are not set."""
_TLS = frozenset({"sslmode", *_DEFAULT_FILES})
_KNOWN = _TLS | {"host", "port", "passfile", "target_session_attrs"}
_SESSION_ATTRIBUTES = ("any", "primary", "read-write")
"""The values of target_session_attrs with which a database can be written."""
_SYSTEM = "system"
"""The value of sslrootcert that stands for the certificate authorities that the operating system trusts."""
_LONGEST_NAME = 63
"""Bytes of an application name that PostgreSQL keeps (NAMEDATALEN - 1)."""


class DsnError(ValueError):
    """An error: an address cannot be used. The message names parameters, and no values but those of `sslmode`."""


class TlsMode(StrEnum):
    """The encryption of a connection, and what it verifies: libpq's `sslmode`."""

    DISABLE = "disable"
    ALLOW = "allow"
    PREFER = "prefer"
    REQUIRE = "require"
    VERIFY_CA = "verify-ca"
    VERIFY_FULL = "verify-full"

    @property
    def needs_tls(self) -> bool:
        """Return whether a connection without TLS is refused."""
        return self in {TlsMode.REQUIRE, TlsMode.VERIFY_CA, TlsMode.VERIFY_FULL}


@dataclass(frozen=True, slots=True)
class Dsn:
    """An address of the database. Its representation hides the password."""

    url: URL
    """The address for SQLAlchemy, without parameters of TLS."""
    mode: TlsMode
    tls: ssl.SSLContext | str | bool = field(repr=False)
    """The driver's argument `ssl`."""
    _opener: Hosts = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_opener", Hosts(self._arguments() | {"ssl": self.tls}))

    @property
    def is_unverified(self) -> bool:
        """Return whether another machine could pose as the database, although `sslmode` does not allow that.

        With `sslmode=disable` the operator says that the network is trusted.
        """
        verifies = isinstance(self.tls, ssl.SSLContext) and self.tls.verify_mode is ssl.CERT_REQUIRED
        return self.mode is not TlsMode.DISABLE and not verifies and not all(map(_is_local, self.hosts))

    @property
    def hosts(self) -> list[str]:
        """Return the database's hosts: more than one if it has standbys, none for the driver's default."""
        hosts = self._arguments().get("host") or []
        return [hosts] if isinstance(hosts, str) else list(hosts)

    def _arguments(self) -> dict[str, Any]:
        _, arguments = _DIALECT.create_connect_args(self.url)
        return dict(arguments)

    async def open(self, **options: Any) -> asyncpg.Connection:
        """Open a connection with the driver's options, to the first of the hosts that can be used."""
        return await self._opener.connect(**options)

    async def connect(self, purpose: str) -> asyncpg.Connection:
        """Open a connection of its own, for what must not share one with transactions: listening, and locks."""
        return await self.open(server_settings={"application_name": application_name(purpose)})


def application_name(purpose: str) -> str:
    """Return the name by which `pg_stat_activity` shows a connection: what it is for, and its process."""
    name, pid = f"socialsyncer-{purpose}@{socket.gethostname()}", f":{os.getpid()}"
    return name[: _LONGEST_NAME - len(pid)] + pid


def parse_dsn(text: str) -> Dsn:
    """Parse an address, and read the certificates that it names. Raises DsnError."""
    try:
        url = make_url(text)
        backend = url.get_backend_name()
    except (ArgumentError, ValueError):
        raise DsnError("is not a URL; write special characters of the password as %XX") from None
    if backend not in {"postgres", "postgresql"}:
        raise DsnError("must start with postgresql://")
    if unknown := sorted(set(url.query) - _KNOWN):
        raise DsnError(f"has unknown parameters: {', '.join(unknown)}; known are {', '.join(sorted(_KNOWN))}")
    if repeated := [name for name in sorted(_TLS) if not isinstance(url.query.get(name, ""), str)]:
        raise DsnError(f"has parameters more than once: {', '.join(repeated)}")
    parameters = {name: str(url.query.get(name) or os.environ.get(f"PG{name.upper()}") or "") for name in _TLS}
    try:
        mode = TlsMode(parameters["sslmode"] or TlsMode.PREFER)
    except ValueError:
        raise DsnError(f"has a wrong sslmode; it must be one of {', '.join(TlsMode)}") from None
    named = sorted(name for name in _DEFAULT_FILES if name in url.query)
    if named and not mode.needs_tls:
        raise DsnError(f"has {', '.join(named)} with sslmode={mode}, which does not insist on TLS; use verify-full")
    attributes = url.query.get("target_session_attrs", "any")
    if attributes not in _SESSION_ATTRIBUTES:
        raise DsnError(f"has a wrong target_session_attrs; it must be one of {', '.join(_SESSION_ATTRIBUTES)}")
    try:
        return Dsn(url.set(drivername=_DRIVER).difference_update_query(_TLS), mode, _tls(mode, parameters))
    except ArgumentError:
        raise DsnError("must give each of several hosts a port: host=a:5432&host=b:5432") from None


def _tls(mode: TlsMode, parameters: dict[str, str]) -> ssl.SSLContext | str | bool:
    if not mode.needs_tls:
        # Whether the server has TLS is known only once it is asked; the driver does that.
        return False if mode is TlsMode.DISABLE else str(mode)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["postgresql"])
    context.check_hostname = mode is TlsMode.VERIFY_FULL
    files = {name: value or _default_file(name) for name, value in parameters.items() if name in _DEFAULT_FILES}
    if files["sslrootcert"] not in {"", _SYSTEM}:
        _load("sslrootcert", context.load_verify_locations, files["sslrootcert"])
    elif mode is TlsMode.VERIFY_FULL:
        context.load_default_certs()
    elif mode is TlsMode.VERIFY_CA or files["sslrootcert"]:
        # Anybody can get a certificate of these authorities, for a name of their own.
        raise DsnError(f"has sslmode={mode} without a file in sslrootcert; only verify-full does without")
    else:
        context.verify_mode = ssl.CERT_NONE
    if files["sslcrl"]:
        _load("sslcrl", context.load_verify_locations, files["sslcrl"])
        context.verify_flags |= ssl.VERIFY_CRL_CHECK_CHAIN
    if files["sslcert"]:
        # Without a password, or OpenSSL would ask for it on the terminal.
        _load("sslcert or sslkey", context.load_cert_chain, files["sslcert"], files["sslkey"] or None, "")
    elif parameters["sslkey"]:
        raise DsnError("has sslkey without sslcert")
    return context


def _default_file(parameter: str) -> str:
    try:
        path = Path.home() / ".postgresql" / _DEFAULT_FILES[parameter]
        return str(path) if path.exists() else ""
    except (OSError, RuntimeError):
        return ""


def _load(parameters: str, load: Any, *arguments: Any) -> None:
    """Load a file of certificates. Raises DsnError, which names the parameter and the reason."""
    try:
        load(*arguments)
    except (OSError, ValueError) as error:
        reason = error.reason if isinstance(error, ssl.SSLError) else getattr(error, "strerror", None)
        raise DsnError(f"names a file in {parameters} that cannot be used: {reason or type(error).__name__}") from None


def _is_local(host: str) -> bool:
    if host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
