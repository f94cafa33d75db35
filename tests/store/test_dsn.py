"""One URL is the address of the database for every connection, with its TLS."""

import asyncio
import shutil
import ssl
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import asyncpg
import pytest
from sqlalchemy import make_url

from cli.stack.ports import free_port
from store.announcer import Outcomes
from store.database import Database
from store.dsn import DsnError, TlsMode, application_name, parse_dsn
from store.migrate import upgrade
from tests.certificates import Authority, Signed
from tests.databases import empty_database
from tests.pgbouncer import PgBouncer
from tests.postgres import debian_programs, postgres_server

_SESSIONS = """
SELECT application_name, ssl FROM pg_stat_activity JOIN pg_stat_ssl USING (pid)
WHERE datname = current_database()
"""
_HBA = """
hostssl all certified 127.0.0.1/32 cert
hostssl all pooled 127.0.0.1/32 scram-sha-256
hostssl all all 127.0.0.1/32 trust
"""


_EXAMPLE = Path(__file__).parents[2] / "deploy/pgbouncer/pgbouncer.ini"


@pytest.fixture(autouse=True)
def no_settings_of_libpq(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PGSSLMODE", "PGSSLROOTCERT", "PGSSLCERT", "PGSSLKEY", "PGSSLCRL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


@dataclass(frozen=True, slots=True)
class Encrypted:
    """A PostgreSQL that takes connections with TLS only, under a certificate for 127.0.0.1."""

    url: str
    authority: Authority
    client: Signed
    """The certificate of the role `certified`, who logs in by it."""

    def address(self, host: str = "127.0.0.1", user: str = "postgres", **parameters: object) -> str:
        """Return the URL with these parameters."""
        url = self.url.replace("127.0.0.1", host).replace("postgres@", f"{user}@")
        return f"{url}?{urlencode(parameters)}"


@pytest.fixture(scope="module")
def server() -> Iterator[Encrypted]:
    programs = debian_programs()
    if programs is None:
        pytest.skip("the embedded PostgreSQL has no TLS: install Debian's package postgresql")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        authority = Authority(folder)
        own = authority.sign("server", "127.0.0.1")
        (folder / "hba.conf").write_text(_HBA)
        settings = {
            "ssl": "on",
            "ssl_ca_file": str(authority.file),
            "ssl_cert_file": str(own.certificate),
            "ssl_key_file": str(own.key),
            "hba_file": str(folder / "hba.conf"),
        }
        with postgres_server(programs, **settings) as url:
            client = authority.sign("certified")
            database = asyncio.run(empty_database(url))
            asyncio.run(_execute(database, "CREATE ROLE certified LOGIN"))
            yield Encrypted(database, authority, client)


async def _execute(url: str, statement: str) -> None:
    connection = await parse_dsn(url).connect("test")
    await connection.execute(statement)
    await connection.close()


async def test_every_connection_verifies_the_server_by_the_same_url(server: Encrypted, tmp_path: Path) -> None:
    url = server.address(sslmode="verify-full", sslrootcert=server.authority.file)
    # Without migrations: they need PostgreSQL 18, which Debian does not have.
    assert not (await upgrade(url, folder=tmp_path)).applied
    database, outcomes = Database(url, purpose="worker"), Outcomes(url)
    await outcomes.start()
    try:
        await database.answers.ping()
        await database.locks.ping()
        listener = await database.dsn.connect("worker-listener")
        async with asyncio.timeout(60):
            while len(sessions := await database.rows(_SESSIONS)) < 5:  # noqa: ASYNC110 PostgreSQL has no event for it
                await asyncio.sleep(0.02)
        await listener.close()
    finally:
        await outcomes.close()
        await database.close()
    assert sorted(row["application_name"].partition("@")[0] for row in sessions) == [
        "socialsyncer-api-listener",
        "socialsyncer-worker",
        "socialsyncer-worker",
        "socialsyncer-worker-listener",
        "socialsyncer-worker-locks",
    ]
    assert all(row["ssl"] for row in sessions)


async def test_a_wrong_server_is_refused_before_anything_is_sent(server: Encrypted, tmp_path: Path) -> None:
    other, ours = Authority(tmp_path, "other").file, server.authority.file
    for host, parameters, verified in (
        ("127.0.0.1", {"sslmode": "require"}, True),
        ("127.0.0.1", {"sslmode": "verify-full", "sslrootcert": ours}, True),
        ("localhost", {"sslmode": "verify-ca", "sslrootcert": ours}, True),
        ("localhost", {"sslmode": "verify-full", "sslrootcert": ours}, False),
        ("127.0.0.1", {"sslmode": "verify-ca", "sslrootcert": other}, False),
        # As in libpq: who names the authority wants it to be verified.
        ("127.0.0.1", {"sslmode": "require", "sslrootcert": other}, False),
        ("127.0.0.1", {"sslmode": "verify-full"}, False),
        ("127.0.0.1", {"sslmode": "verify-full", "sslrootcert": "system"}, False),
    ):
        dsn, database = parse_dsn(server.address(host, **parameters)), Database(server.address(host, **parameters))
        try:
            if verified:
                await database.row("SELECT 1")
                await (await dsn.connect("test")).close()
                continue
            with pytest.raises(ssl.SSLCertVerificationError):
                await database.row("SELECT 1")
            with pytest.raises(ssl.SSLCertVerificationError):
                await dsn.connect("test")
        finally:
            await database.close()


@contextmanager
def pgbouncer_of_the_example(server: Encrypted) -> Iterator[tuple[int, Path]]:
    """Run PgBouncer with the example, of which only names are replaced; yields its port and its authority's file."""
    with tempfile.TemporaryDirectory() as name:
        folder, port = Path(name), free_port()
        folder.chmod(0o755)
        own = Authority(folder, "pooler-authority").sign("pgbouncer", "127.0.0.1")
        (folder / "users.txt").write_text('"pooled" "a password"\n')
        for path in (own.key, server.authority.file):
            shutil.copy(path, folder / f"readable-{path.name}")
            (folder / f"readable-{path.name}").chmod(0o644)
        database = make_url(server.url)
        example = _EXAMPLE.read_text()
        for text, replacement in {
            "host=db.example.com port=5432 dbname=socialsyncer": (
                f"host=127.0.0.1 port={database.port} dbname={database.database}"
            ),
            "listen_addr = *": "listen_addr = 127.0.0.1\nunix_socket_dir =",
            "listen_port = 6432": f"listen_port = {port}",
            "/etc/pgbouncer/users.txt": str(folder / "users.txt"),
            "/etc/pgbouncer/database-ca.pem": str(folder / f"readable-{server.authority.file.name}"),
            "/etc/pgbouncer/pgbouncer.crt": str(own.certificate),
            "/etc/pgbouncer/pgbouncer.key": str(folder / f"readable-{own.key.name}"),
        }.items():
            assert text in example
            example = example.replace(text, replacement)
        assert "/etc/" not in example
        (folder / "pgbouncer.ini").write_text(example)
        bouncer = PgBouncer(port, folder)
        bouncer.start()
        try:
            yield port, folder / "pooler-authority.crt"
        finally:
            bouncer.stop()


@pytest.mark.skipif(shutil.which("pgbouncer") is None, reason="install Debian's package pgbouncer")
async def test_the_example_of_pgbouncer_verifies_and_encrypts(server: Encrypted) -> None:
    await _execute(server.url, "CREATE ROLE pooled LOGIN PASSWORD 'a password'")
    with pgbouncer_of_the_example(server) as (port, authority):
        url = f"postgresql+asyncpg://pooled:a%20password@127.0.0.1:{port}/socialsyncer"
        verified = f"?sslmode=verify-full&sslrootcert={authority}"
        connection = await parse_dsn(url + verified).connect("test")
        assert await connection.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        await connection.close()
        for refused in (f"{url}?sslmode=disable", url.replace("a%20", "another%20") + verified):
            with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
                await parse_dsn(refused).connect("test")


async def test_a_client_logs_in_by_its_certificate(server: Encrypted) -> None:
    url = server.address(
        user="certified", sslmode="require", sslcert=server.client.certificate, sslkey=server.client.key
    )
    database = Database(url)
    row = await database.row("SELECT current_user AS role, client_dn FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
    await database.close()
    assert row is not None
    assert (row["role"], row["client_dn"]) == ("certified", "/CN=certified")
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await parse_dsn(server.address(user="certified", sslmode="require")).connect("test")


async def test_tls_is_used_if_the_server_has_it_unless_the_url_says_no(server: Encrypted, postgres_url: str) -> None:
    for url, encrypted in ((server.address(), True), (f"{postgres_url}/postgres", False)):
        connection = await parse_dsn(url).connect("test")
        assert await connection.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()") is encrypted
        await connection.close()
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError):
        await parse_dsn(server.address(sslmode="disable")).connect("test")
    with pytest.raises(ConnectionError):
        await parse_dsn(f"{postgres_url}/postgres?sslmode=require").connect("test")


def test_a_wrong_url_is_refused_by_the_names_of_its_parameters() -> None:
    for url, problem in (
        ("mysql://u:hunter2@h/d", "must start with postgresql://"),
        ("hunter2", "is not a URL"),
        ("postgresql://u:p@h:hunter2/d", "is not a URL"),
        ("postgresql://u@h/d?ssl=hunter2&options=hunter2", "has unknown parameters: options, ssl; known are host, "),
        (
            "postgresql://u@h/d?sslmode=hunter2",
            "must be one of disable, allow, prefer, require, verify-ca, verify-full",
        ),
        ("postgresql://u@h/d?sslmode=require&sslmode=disable", "more than once: sslmode"),
        ("postgresql://u@h/d?sslrootcert=/hunter2", "has sslrootcert with sslmode=prefer"),
        ("postgresql://u@h/d?sslmode=verify-ca", "has sslmode=verify-ca without a file in sslrootcert"),
        ("postgresql://u@h/d?sslmode=require&sslrootcert=system", "only verify-full does without"),
        (
            "postgresql://u@h/d?sslmode=verify-full&sslrootcert=/hunter2",
            "sslrootcert that cannot be used: No such file",
        ),
        ("postgresql://u@h/d?sslmode=verify-full&sslkey=/hunter2", "has sslkey without sslcert"),
        ("postgresql://u@h/d?target_session_attrs=hunter2", "must be one of any, primary, read-write"),
        ("postgresql:///d?host=hunter2:1&host=b", "must give each of several hosts a port"),
        (f"postgresql://u@h/d?sslmode=require&sslcert={__file__}", "sslcert or sslkey that cannot be used: "),
    ):
        with pytest.raises(DsnError) as error:
            parse_dsn(url)
        assert problem in str(error.value)
        assert "hunter2" not in str(error.value)


def test_hosts_of_other_machines_that_are_not_verified_are_known() -> None:
    for url, is_unverified in (
        ("postgresql://u:p@db.example.com/d", True),
        ("postgresql://u:p@10.0.0.7/d?sslmode=require", True),
        ("postgresql://u:p@/d?host=localhost:1&host=db.example.com:2", True),
        ("postgresql://u:p@db.example.com/d?sslmode=disable", False),
        ("postgresql://u:p@db.example.com/d?sslmode=verify-full", False),
        ("postgresql://u:p@127.0.0.1/d", False),
        ("postgresql://u:p@[::1]/d", False),
        ("postgresql://u:p@localhost/d", False),
        ("postgresql://u:p@/d?host=/run/postgresql", False),
    ):
        assert parse_dsn(url).is_unverified is is_unverified, url
        assert ":p@" not in repr(parse_dsn(url))


def test_variables_of_libpq_count_if_the_url_says_nothing(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGSSLROOTCERT", str(Authority(tmp_path).file))
    dsn = parse_dsn("postgresql://u@h/d")
    assert dsn.mode is TlsMode.VERIFY_FULL
    assert isinstance(dsn.tls, ssl.SSLContext)
    assert len(dsn.tls.get_ca_certs()) == 1
    assert parse_dsn("postgresql://u@h/d?sslmode=prefer").mode is TlsMode.PREFER


def test_an_application_name_keeps_its_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "a" * 63)
    monkeypatch.setattr("os.getpid", lambda: 4_194_304)
    assert application_name("api") == f"socialsyncer-api@{'a' * 38}:4194304"
