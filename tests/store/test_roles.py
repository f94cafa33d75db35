"""The roles of the API and the worker: their rights are enough for the product (every other test), and no more."""

import base64
import dataclasses
import hashlib
import hmac
import secrets

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import ProgrammingError
from sqlalchemy.ext.asyncio import create_async_engine

from store.database import Database
from store.migrate import upgrade
from store.models import Base
from store.roles import RIGHTS, Component, Role, RoleError, scram_verifier
from tests.databases import ROLES, empty_database, new_database, url_as
from tests.stack import Stack

ANYBODY_IS_DENIED = [
    "CREATE TABLE mine (id int)",
    "CREATE TEMPORARY TABLE mine (id int)",
    "ALTER TABLE posts ADD COLUMN mine int",
    "DROP TABLE attempts",
    "TRUNCATE posts CASCADE",
    "CREATE ROLE intruder SUPERUSER",
    "CREATE ROLE intruder LOGIN",
    "ALTER ROLE CURRENT_USER CREATEROLE",
    "SET ROLE postgres",
    "CREATE DATABASE mine",
    "CREATE SCHEMA mine",
    "COPY posts TO PROGRAM 'cat'",
    "COPY (SELECT 1) TO '/tmp/out'",
    "COPY late_posts FROM '/etc/hostname'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT * FROM pg_authid",
    "ALTER SYSTEM SET log_statement = 'all'",
    "SELECT * FROM alembic_version",
    "INSERT INTO workspaces (id, name) VALUES ('ws_x', 'x')",
    "DELETE FROM workspaces",
    "INSERT INTO api_keys (sha256, id, prefix, workspace_id, name) VALUES ('x', 'x', 'x', 'x', 'x')",
    "UPDATE api_keys SET workspace_id = 'ws_x'",
    "UPDATE api_keys SET revoked_at = NULL",
    "DELETE FROM api_keys",
    "UPDATE account_events SET actor_id = 'key_x'",
    "DELETE FROM attempts",
    "DELETE FROM revisions",
]
DENIED = {
    Component.API: [
        "DELETE FROM accounts",
        "INSERT INTO account_events SELECT * FROM account_events",
        "DELETE FROM account_events",
        "INSERT INTO accounts SELECT * FROM accounts",
        "UPDATE pending_connections SET sealed = NULL",
        "UPDATE pending_connections SET outcome = NULL",
        "DELETE FROM pending_connections",
        "SELECT * FROM pending_revocations",
        "INSERT INTO pending_revocations SELECT * FROM pending_revocations",
        *ANYBODY_IS_DENIED,
        "SELECT credentials FROM accounts",
        "SELECT * FROM accounts",
        "SELECT accounts FROM accounts",
        "SELECT to_jsonb(a) FROM accounts a",
        "SELECT count(*) FROM accounts WHERE credentials IS NULL",
        "UPDATE accounts SET credentials = ''",
        "UPDATE accounts SET refused_at = NULL",
        "UPDATE attempts SET state = 'done'",
        "UPDATE revisions SET body = '{}'",
        "INSERT INTO media_files VALUES ('x', 'ws_x', 'text/html', '', now())",
        "UPDATE rate_limit_buckets SET reported_remaining = 0",
        "DELETE FROM rate_limit_slots",
        "DELETE FROM idempotency_keys",
        "DELETE FROM late_posts",
        "DELETE FROM media_files",
        "UPDATE api_keys SET scopes = '{keys}'",
    ],
    Component.WORKER: [
        *ANYBODY_IS_DENIED,
        "SELECT * FROM api_keys",
        "SELECT * FROM workspaces",
        "INSERT INTO idempotency_keys SELECT * FROM idempotency_keys",
    ],
}
REFUSALS = ("permission denied", "must be owner", "must be superuser", "only roles with")


def role_database(stack: Stack, component: Component) -> Database:
    return {Component.API: stack.api_database, Component.WORKER: stack.worker_database}[component]


@pytest.mark.parametrize("component", Component)
async def test_each_role_is_denied_unneeded_rights(stack: Stack, component: Component) -> None:
    for statement in DENIED[component]:
        # Without a transaction, because inside one some statements are refused before their rights are checked.
        async with role_database(stack, component).reading() as session:
            with pytest.raises(ProgrammingError) as denied:
                await session.execute(text(statement))
        assert any(refusal in str(denied.value).lower() for refusal in REFUSALS), denied.value


@pytest.mark.parametrize("component", Component)
async def test_the_parts_of_these_tests_log_in_under_their_roles(stack: Stack, component: Component) -> None:
    async with role_database(stack, component).transaction() as session:
        name, power = (
            await session.execute(text("SELECT current_user, usesuper FROM pg_user WHERE usename = current_user"))
        ).one()
    assert (name, power) == (f"socialsyncer_{component}", False)


def test_every_table_has_rights_for_each_role() -> None:
    assert RIGHTS.keys() == Base.metadata.tables.keys(), "a new table needs its line in store/roles.py"


async def owned_database(postgres_url: str) -> str:
    """Create a database whose owner is no superuser but may create roles, as in production. Returns the owner's URL."""
    name = f"owner_{secrets.token_hex(4)}"
    engine = create_async_engine(f"{postgres_url}/postgres", isolation_level="AUTOCOMMIT")
    async with engine.connect() as connection:
        await connection.execute(text(f"CREATE ROLE {name} LOGIN CREATEROLE"))
        await connection.execute(text(f"CREATE DATABASE {name} OWNER {name}"))
    await engine.dispose()
    url = make_url(f"{postgres_url}/{name}").set(username=name)
    return url.render_as_string(hide_password=False)


@pytest.fixture
async def owned(postgres_url: str) -> str:
    return await owned_database(postgres_url)


@pytest.fixture(scope="module")
async def migrated(postgres_url: str) -> str:
    """Create such a database with all tables and no roles, which tests set up with names of their own."""
    url = await owned_database(postgres_url)
    await upgrade(url)
    return url


async def asked(url: str, statement: str, role: Role | None = None) -> object:
    """Run a statement as the owner, or as a role."""
    engine = create_async_engine(make_url(url).set(username=role.name) if role else url)
    try:
        async with engine.begin() as connection:
            result = await connection.execute(text(statement))
            return result.scalar() if result.returns_rows else None
    finally:
        await engine.dispose()


def new_role(component: Component = Component.API, password: str | None = "correct-horse") -> Role:
    return Role(component, f"role_{secrets.token_hex(4)}", password)


async def test_an_owner_who_is_no_superuser_sets_the_roles_up(owned: str) -> None:
    roles = [new_role(Component.API), new_role(Component.WORKER)]
    await upgrade(owned, roles)
    await upgrade(owned, roles)
    assert await asked(owned, "SELECT count(*) FROM posts", roles[0]) == 0
    assert await asked(owned, "SELECT count(*) FROM rate_limit_buckets", roles[1]) == 0
    with pytest.raises(ProgrammingError, match="permission denied"):
        await asked(owned, "SELECT credentials FROM accounts", roles[0])


async def test_rights_that_a_role_had_before_are_taken_away(migrated: str) -> None:
    role = new_role()
    await upgrade(migrated, [role])
    await asked(migrated, f"GRANT ALL ON accounts, api_keys TO {role.name}")
    await asked(migrated, f"GRANT CREATE ON SCHEMA public TO {role.name}")
    assert await asked(migrated, "SELECT count(credentials) FROM accounts", role) == 0
    await upgrade(migrated, [role])
    for statement in ("SELECT credentials FROM accounts", "DELETE FROM api_keys", "CREATE TABLE mine (id int)"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            await asked(migrated, statement, role)


async def test_the_server_is_given_a_verifier_and_no_password(migrated: str, postgres_url: str) -> None:
    role = new_role(password="a-password-of-mine")
    await upgrade(migrated, [role])
    query = f"SELECT rolpassword FROM pg_authid WHERE rolname = '{role.name}'"
    first = str(await asked(f"{postgres_url}/postgres", query))
    salt = base64.b64decode(first.split("$")[1].split(":")[1])
    assert first == scram_verifier("a-password-of-mine", salt)
    await upgrade(migrated, [Role(role.component, role.name, "another-password")])
    assert await asked(f"{postgres_url}/postgres", query) != first


def test_a_verifier_checks_the_login_of_rfc_7677() -> None:
    salt, password = base64.b64decode("W22ZaJ0SNY7soEsUEjb6gQ=="), "pencil"
    nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0"
    messages = f"n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}".encode()
    proof = base64.b64decode("dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=")
    keys = scram_verifier(password, salt).split("$")[2]
    stored, server = (base64.b64decode(key) for key in keys.split(":"))
    signature = hmac.digest(stored, messages, "sha256")
    client = bytes(left_byte ^ other for left_byte, other in zip(proof, signature, strict=True))
    assert hashlib.sha256(client).digest() == stored
    assert base64.b64encode(hmac.digest(server, messages, "sha256")) == b"6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="


async def test_the_owner_may_end_queries_of_the_roles(migrated: str) -> None:
    role = new_role()
    await upgrade(migrated, [role])
    engine = create_async_engine(make_url(migrated).set(username=role.name))
    async with engine.connect() as connection:
        session = await connection.scalar(text("SELECT pg_backend_pid()"))
        assert await asked(migrated, f"SELECT pg_terminate_backend({session}, 5000)") is True
        await connection.invalidate()
    await engine.dispose()


async def test_new_role_needs_a_password(owned: str) -> None:
    role = new_role(password=None)
    with pytest.raises(RoleError, match=f"no database role {role.name}"):
        await upgrade(owned, [role])
    assert await asked(owned, "SELECT to_regclass('posts')") is None


async def test_existing_role_needs_no_password(migrated: str, postgres_url: str) -> None:
    role = new_role(password=None)
    await asked(f"{postgres_url}/postgres", f"CREATE ROLE {role.name} LOGIN")
    await upgrade(migrated, [role])
    assert await asked(migrated, "SELECT count(*) FROM posts", role) == 0


async def test_an_owner_without_rights_is_told_what_an_administrator_must_run(postgres_url: str) -> None:
    """A managed PostgreSQL: no right to create roles, and neither the database nor its schema is the owner's."""
    admin = await empty_database(postgres_url)
    name = str(make_url(admin).database)
    api, worker = new_role(), dataclasses.replace(new_role(), component=Component.WORKER)
    await asked(admin, f"CREATE ROLE {name} LOGIN")
    await asked(admin, f"REVOKE CONNECT ON DATABASE {name} FROM PUBLIC")
    await asked(admin, f"GRANT CONNECT ON DATABASE {name} TO {name}")
    await asked(admin, "REVOKE ALL ON SCHEMA public FROM PUBLIC")
    owned = make_url(admin).set(username=name).render_as_string()
    with pytest.raises(RoleError, match="administrator") as error:
        await upgrade(owned, [dataclasses.replace(role, has_limits=True) for role in (api, worker)])
    statements = [line.strip() for line in str(error.value).splitlines() if line.strip().endswith(";")]
    assert f"GRANT USAGE, CREATE ON SCHEMA public TO {name};" in statements
    assert f"ALTER ROLE {worker.name} SET lock_timeout = '10s';" in statements
    assert await asked(owned, "SELECT to_regclass('posts')") is None
    for statement in statements:
        await asked(admin, statement.replace("…", str(api.password)))
    with pytest.raises(RoleError, match="do not set SOCIALSYNCER_API_ROLE_PASSWORD"):
        await upgrade(owned, [api])
    roles = [dataclasses.replace(role, password=None, has_limits=True) for role in (api, worker)]
    await upgrade(owned, roles)
    for role in (api, dataclasses.replace(worker, password=api.password)):
        assert await asked(owned, "SELECT count(*) FROM posts", role) == 0
        with pytest.raises(ProgrammingError, match="permission denied"):
            await asked(owned, "CREATE TEMPORARY TABLE mine (id int)", role)


@pytest.mark.parametrize("power", ["SUPERUSER", "CREATEROLE", "CREATEDB", "REPLICATION", "BYPASSRLS"])
async def test_a_role_of_too_much_power_is_refused(owned: str, postgres_url: str, power: str) -> None:
    role = new_role(password=None)
    await asked(f"{postgres_url}/postgres", f"CREATE ROLE {role.name} LOGIN {power}")
    with pytest.raises(RoleError, match=r"may do too much for the api"):
        await upgrade(owned, [role])


async def test_a_member_of_a_powerful_role_is_refused(owned: str, postgres_url: str) -> None:
    role = new_role(password=None)
    await asked(f"{postgres_url}/postgres", f"CREATE ROLE {role.name} LOGIN")
    await asked(f"{postgres_url}/postgres", f"GRANT pg_execute_server_program TO {role.name}")
    with pytest.raises(RoleError, match="a member of pg_execute_server_program"):
        await upgrade(owned, [role])


async def test_the_owner_is_no_role_of_a_part(owned: str) -> None:
    with pytest.raises(RoleError, match="the tables' owner"):
        await upgrade(owned, [Role(Component.WORKER, str(make_url(owned).username))])


@pytest.mark.parametrize(
    ("name", "password"), [('x"; DROP', "long-enough"), ("x", "short"), ("x", "quote's space "), ("", None)]
)
def test_invalid_names_and_passwords_are_refused_without_repeating_them(name: str, password: str | None) -> None:
    with pytest.raises(ValueError, match="the api's role") as refused:
        Role(Component.API, name, password)
    assert password is None or password not in str(refused.value)


def test_a_role_does_not_show_its_password() -> None:
    assert "correct-horse" not in repr(new_role())


async def test_every_database_of_these_tests_has_the_roles(postgres_url: str) -> None:
    url = await new_database(postgres_url)
    for role in ROLES:
        assert await asked(url_as(url, role.component), "SELECT count(*) FROM posts") == 0
