"""The rights that the tables' owner lacks, as the statements that an administrator of the database runs for it.

A managed PostgreSQL may give no role that may create roles, and a database whose owner is its administrator.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, RowMapping, text

from store.roles import Role, RoleError, limits_of_time

_OWNER = text("""
SELECT quote_ident(current_user) AS name, quote_ident(current_database()) AS database,
  rolsuper OR rolcreaterole AS makes_roles,
  has_schema_privilege('public', 'CREATE') AS makes_tables,
  pg_has_role((SELECT nspowner FROM pg_namespace WHERE nspname = 'public'), 'USAGE') AS has_schema,
  pg_has_role((SELECT datdba FROM pg_database WHERE datname = current_database()), 'USAGE') AS has_database
FROM pg_roles WHERE rolname = current_user
""")
_CHANGEABLE = text("""
SELECT rolsuper OR (rolcreaterole AND pg_has_role(CAST(:name AS name), 'MEMBER WITH ADMIN OPTION'))
FROM pg_roles WHERE rolname = current_user
""")
_RIGHTS = text("""
SELECT has_database_privilege(CAST(:name AS name), current_database(), 'CONNECT') AS connects,
  has_database_privilege(CAST(:name AS name), current_database(), 'CREATE, TEMPORARY') AS changes_database,
  has_schema_privilege(CAST(:name AS name), 'public', 'USAGE') AS uses_schema,
  has_schema_privilege(CAST(:name AS name), 'public', 'CREATE') AS changes_schema
""")
"""A list of privileges is true if one of them is there."""
_EXISTS = text("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = :name)")
_EVERYBODY = "public"
"""The rights of a role that is still to be created."""


def check_owner(connection: Connection, roles: Sequence[Role]) -> None:
    """Check that the owner, who is logged in, may set up these roles. Raises RoleError with what is to be run first."""
    owner = connection.execute(_OWNER).mappings().one()
    statements = [] if owner["makes_tables"] else [f"GRANT USAGE, CREATE ON SCHEMA public TO {owner['name']}"]
    for role in roles:
        statements += _missing_statements(connection, owner, role)
    if not statements:
        return
    message = (
        "The role that SOCIALSYNCER_DATABASE_URL names may not do all that is needed. "
        "Let an administrator run this in the database, and run the command again:\n  "
    ) + "".join(f"{statement};\n  " for statement in dict.fromkeys(statements))
    if any("PASSWORD" in statement for statement in statements):
        variables = " or ".join(f"SOCIALSYNCER_{role.component.upper()}_ROLE_PASSWORD" for role in roles)
        message += f"For a role with a password, do not set {variables} here. "
    raise RoleError(message.rstrip())


def _missing_statements(connection: Connection, owner: RowMapping, role: Role) -> list[str]:
    exists = bool(connection.scalar(_EXISTS, {"name": role.name}))
    may_change = connection.scalar(_CHANGEABLE, {"name": role.name}) if exists else owner["makes_roles"]
    rights = connection.execute(_RIGHTS, {"name": role.name if exists else _EVERYBODY}).mappings().one()
    statements = {
        f"{'ALTER' if exists else 'CREATE'} ROLE {role.name} LOGIN PASSWORD '…'": not may_change
        and (role.password is not None or not exists),
        **dict.fromkeys(limits_of_time(connection, role), not may_change),
        f"GRANT CONNECT ON DATABASE {owner['database']} TO {role.name}": not owner["has_database"]
        and not rights["connects"],
        f"REVOKE CREATE, TEMPORARY ON DATABASE {owner['database']} FROM PUBLIC, {role.name}": not owner["has_database"]
        and rights["changes_database"],
        f"GRANT USAGE ON SCHEMA public TO {role.name}": not owner["has_schema"] and not rights["uses_schema"],
        f"REVOKE CREATE ON SCHEMA public FROM PUBLIC, {role.name}": not owner["has_schema"]
        and rights["changes_schema"],
    }
    return [statement for statement, is_missing in statements.items() if is_missing]
