"""The database roles of the API and the worker: created by the owner, each with the rights that its part needs.

The owner creates and changes tables. The API, which faces the internet, cannot read credentials, create API keys or
change the attempt log. Neither the API nor the worker can change a table or create a role.
"""

import base64
import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from sqlalchemy import Connection, RowMapping, text

from store.database import OF_REQUESTS, OF_STEPS, TimeLimits
from store.models import Base, ConnectedAccount, Post, Upload, Webhook

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")
_PASSWORD = re.compile(r"[!-~]{8,128}")
_ITERATIONS = 4096
"""PostgreSQL's own number (`scram_iterations`); a random password needs no more."""
_SETTINGS_OF_ROLE = text("""
SELECT unnest(setconfig) FROM pg_db_role_setting JOIN pg_roles ON pg_roles.oid = setrole
WHERE rolname = :name AND setdatabase IN (0, (SELECT oid FROM pg_database WHERE datname = current_database()))
""")
_POWERS = text(
    "SELECT rolsuper, rolcreaterole, rolcreatedb, rolreplication, rolbypassrls FROM pg_roles WHERE rolname = :name"
)
_GROUPS = text(
    "SELECT rolname FROM pg_roles WHERE pg_has_role(:name, oid, 'MEMBER') AND rolname <> :name"
    " AND (rolname = current_user OR rolsuper OR starts_with(rolname, 'pg_'))"
)
_PRIVILEGE = re.compile(r"([A-Z]+)(?: \(([^)]*)\))?")
_MISSING_RIGHTS = text("""
SELECT concat('GRANT ', privilege, ' (' || string_agg(quote_ident(attname), ', ') || ')', ' ON ', oid::regclass,
              ' TO ', quote_ident(:role))
FROM jsonb_to_recordset(CAST(:rights AS jsonb)) AS wanted (relation text, privilege text, "column" text)
JOIN pg_class ON oid = to_regclass('public.' || relation)
LEFT JOIN pg_attribute ON attrelid = oid AND attname = "column" AND NOT attisdropped
WHERE CASE WHEN "column" IS NULL THEN NOT has_table_privilege(:role, oid, privilege)
           ELSE NOT has_column_privilege(:role, oid, attnum, privilege) END
GROUP BY oid, privilege, "column" IS NULL
UNION ALL
SELECT concat('GRANT EXECUTE ON FUNCTION ', to_regprocedure(name), ' TO ', quote_ident(:role))
FROM unnest(CAST(:functions AS text[])) AS name
WHERE NOT has_function_privilege(:role, to_regprocedure(name), 'EXECUTE')
""")


class Component(StrEnum):
    """A part of the service that has a role of its own."""

    API = "api"
    WORKER = "worker"


class RoleError(Exception):
    """An error: a role cannot be set up. The message says why, and does not contain the password."""


@dataclass(frozen=True, slots=True)
class Role:
    """A role to set up, which must exist already if it has no password. Raises ValueError for invalid values."""

    component: Component
    name: str
    password: str | None = field(default=None, repr=False)
    has_limits: bool = False
    """Whether the role itself has the limits of time, because connections through a pooler cannot bring them."""

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"the {self.component}'s role must be a name of lower-case letters, digits and _")
        if self.password is not None and not _PASSWORD.fullmatch(self.password):
            raise ValueError(
                f"the password of the {self.component}'s role must be 8 to 128 ASCII characters without spaces"
            )


_LIMITS: Mapping[Component, tuple[TimeLimits, float]] = {
    Component.API: (OF_REQUESTS, 60),
    Component.WORKER: (OF_STEPS, 120),
}
"""The limits of each part's statements, and the seconds that a transaction may wait for its next one."""

_READ, _ADD, _NOTE = "SELECT", "SELECT, INSERT", "SELECT, INSERT, UPDATE"
_ALL = "SELECT, INSERT, UPDATE, DELETE"
_FACTS = ", ".join(column.key for column in ConnectedAccount.__mapper__.column_attrs)
_LASTING = frozenset({"id", "workspace_id", "workflow_id", "created_by", "created_at"})
"""Columns of a post that stay as it was created; the first line of its history is read from them."""
_CHANGING = ", ".join(column.key for column in Post.__mapper__.column_attrs if column.key not in _LASTING)
_SECRETS = frozenset({"secret", "older_secret"})
_SETTINGS = ", ".join(column.key for column in Webhook.__mapper__.column_attrs if column.key not in _SECRETS)
_CHANGED_SETTINGS = (
    "name, url, events, enabled, disabled_reason, disabled_at, enabled_at, failing_since, failures, probe_at"
)
_LASTING_OF_UPLOAD = _LASTING | {"token", "filename", "content_type", "address_nonce", "part_size"}
_CHANGING_UPLOAD = ", ".join(
    column.key for column in Upload.__mapper__.column_attrs if column.key not in _LASTING_OF_UPLOAD
)
# Without the time, which the database sets.
_LINE = "workspace_id, platform, account_id, action, actor_id, details"
_OPERATION = "id, workspace_id, campaign_id, series_id, kind, actor_id, result"

RIGHTS: Mapping[str, Mapping[Component, str]] = {
    "schema_states": {Component.API: _READ, Component.WORKER: _READ},
    "installation": {Component.API: _READ, Component.WORKER: _READ},
    # A worker that has seen all commits says so after a promotion.
    "trusted_server": {Component.API: _READ, Component.WORKER: "SELECT, UPDATE (timeline)"},
    # For the names of workspaces that people see in workflows.
    "workspaces": {
        Component.API: "SELECT (id, name, page_name, page_logo, when_unreadable), "
        "UPDATE (page_name, page_logo, when_unreadable)",
        Component.WORKER: "SELECT (id, name, posts_kept_days, when_unreadable)",
    },
    "api_keys": {Component.API: "SELECT, UPDATE (last_used_at)"},
    "request_limits": {Component.API: _NOTE, Component.WORKER: "SELECT, DELETE"},
    "calendar_views": {Component.API: "SELECT, INSERT, UPDATE (last_used_at), DELETE"},
    "accounts": {
        # The API asks for an account's removal, and the worker removes it.
        Component.API: f"SELECT ({_FACTS}), "
        "UPDATE (removal_requested_at, removal_requested_by, removal_revokes, when_unreadable)",
        Component.WORKER: _ALL,
    },
    "app_refusals": {Component.API: _READ, Component.WORKER: _ALL},
    "posts": {
        Component.API: f"SELECT, INSERT, UPDATE ({_CHANGING}), DELETE",
        # The planner makes the posts of series.
        Component.WORKER: f"SELECT, INSERT, UPDATE ({_CHANGING}, workflow_id)",
    },
    "targets": {Component.API: _ALL, Component.WORKER: _ALL},
    "post_tags": {Component.API: _READ},
    "late_posts": {Component.API: _NOTE, Component.WORKER: _ALL},
    # The API adds people's decisions on targets, and nothing else (check_attempt_v1).
    "attempts": {Component.API: _ADD, Component.WORKER: _NOTE},
    # No process dates or changes an entry of an audit trail; the worker deletes old ones. The API cannot set an actor's
    # type, so its entries have the default of the column, an API key.
    "audit_events": {
        Component.API: f"SELECT, INSERT (post_id, {_LINE})",
        Component.WORKER: f"SELECT, INSERT (post_id, actor_type, {_LINE}), DELETE",
    },
    "account_events": {Component.API: _READ, Component.WORKER: f"SELECT, INSERT (actor_type, {_LINE}), DELETE"},
    "campaigns": {Component.API: _ALL, Component.WORKER: "SELECT, UPDATE"},
    # As of an audit trail: no process dates or changes a row, and the API's are those of API keys.
    "operations": {
        Component.API: f"SELECT, INSERT ({_OPERATION})",
        Component.WORKER: f"SELECT, INSERT (actor_type, {_OPERATION}), DELETE",
    },
    "series": {Component.API: _ALL, Component.WORKER: "SELECT, UPDATE"},
    "occurrences": {Component.API: _ALL, Component.WORKER: _ALL},
    "queues": {Component.API: _ALL},
    "queue_accounts": {Component.API: _ALL},
    "rate_limit_buckets": {Component.WORKER: _ALL},
    "rate_limit_slots": {Component.WORKER: _ALL},
    "revisions": {Component.API: _ADD, Component.WORKER: _NOTE},
    "idempotency_keys": {Component.API: _NOTE, Component.WORKER: "SELECT, UPDATE, DELETE"},
    "imports": {Component.API: _ADD, Component.WORKER: "SELECT, DELETE"},
    "imported_rows": {Component.API: _ALL, Component.WORKER: "SELECT, DELETE"},
    "imported_posts": {Component.API: "SELECT, INSERT, DELETE"},
    "uploads": {
        # The worker deletes the file first, and then the row.
        Component.API: f"SELECT, INSERT, UPDATE ({_CHANGING_UPLOAD})",
        Component.WORKER: "SELECT, UPDATE, DELETE",
    },
    "thumbnails": {
        Component.API: "SELECT, INSERT (upload_id, workspace_id, token, due_at)",
        Component.WORKER: "SELECT, INSERT (upload_id, workspace_id, token, due_at), "
        "UPDATE (content, due_at, attempts, error_code)",
    },
    # Triggers write it, with the owner's rights.
    "upload_uses": {Component.API: _READ, Component.WORKER: _READ},
    "storage_markers": {Component.API: _ADD, Component.WORKER: _ADD},
    "media_files": {Component.API: _READ, Component.WORKER: "SELECT, INSERT, DELETE"},
    "choice_lists": {Component.API: _ADD, Component.WORKER: "SELECT, UPDATE (result), DELETE"},
    "media_checks": {Component.API: _ADD, Component.WORKER: "SELECT, UPDATE, DELETE"},
    "app_setups": {Component.API: _READ, Component.WORKER: _NOTE},
    "pending_connections": {
        # The API cannot open what the worker has sealed.
        Component.API: f"{_ADD}, UPDATE (browser_hash, handover, handover_hash, consumed_at, expires_at, selected_ids)",
        Component.WORKER: "SELECT, UPDATE, DELETE",
    },
    "pending_revocations": {Component.WORKER: _ALL},
    # Functions of the database write gates, with the rights of the part that calls them.
    "gates": {Component.API: _ALL, Component.WORKER: _NOTE},
    "pauses": {Component.API: _NOTE, Component.WORKER: _NOTE},
    "listeners": {Component.API: _NOTE, Component.WORKER: "SELECT, DELETE"},
    # Triggers write events, with the owner's rights.
    "events": {Component.API: _READ, Component.WORKER: "SELECT, DELETE"},
    "handover_keys": {Component.API: "SELECT (id, public_key, created_at)", Component.WORKER: _NOTE},
    "webhooks": {
        # The API seals a secret and may not read it, not even sealed.
        Component.API: f"SELECT ({_SETTINGS}), INSERT, UPDATE ({_CHANGED_SETTINGS}), DELETE",
        Component.WORKER: "SELECT, UPDATE",
    },
    "deliveries": {
        Component.API: "SELECT, INSERT, UPDATE (state, cause, attempts, next_at)",
        Component.WORKER: _ALL,
    },
    "delivery_progress": {Component.API: _READ, Component.WORKER: "SELECT, UPDATE"},
    "delivery_attempts": {Component.API: _READ, Component.WORKER: "SELECT, INSERT, DELETE"},
    # Only the owner of the tables deletes workspaces.
    "deletions": {},
    "restores": {Component.API: _READ, Component.WORKER: _READ},
    # The API only measures how long ago the last turn was.
    "bulk_turn": {Component.API: _READ, Component.WORKER: "SELECT, UPDATE (at)"},
    "service_state": {Component.API: _NOTE, Component.WORKER: _NOTE},
    "leases": {Component.API: _NOTE, Component.WORKER: _NOTE},
    "zone_checks": {Component.API: _NOTE, Component.WORKER: _NOTE},
}
"""The rights of each part on each table, as GRANT takes them. Without an entry here, no process can use a table.

Rows that are deleted with a post need no right of their own: foreign keys act with the owner's rights.
"""

FUNCTION_RIGHTS: Mapping[str, Collection[Component]] = {
    "emit_ends_v1(interval)": [Component.WORKER],
    "delete_past_posts_v1(text, int, int)": [Component.WORKER],
    "revoke_key_v1(text, text)": [Component.API],
    "issue_key_v1(text, text, bytea, text, text, text[], timestamptz, integer, text, interval)": [Component.API],
    "test_webhook_v1(text, text)": [Component.API],
    "rotate_webhook_v1(text, text, bytea, text, interval)": [Component.API],
    "oldest_transaction_v1()": [Component.API, Component.WORKER],
}
"""The parts that may call a function that acts with the owner's rights. Migrations take the right from everybody."""


def check_role(connection: Connection, role: Role) -> bool:
    """Return whether a role exists. Raises RoleError if it is missing and has no password, or has too many rights."""
    powers = connection.execute(_POWERS, {"name": role.name}).mappings().one_or_none()
    if powers is None and role.password is None:
        raise RoleError(f"There is no database role {role.name}: set its password, and it is made.")
    if powers is not None:
        _refuse_power(connection, role, [power for power, has in powers.items() if has])
    return powers is not None


def make_role(connection: Connection, role: Role) -> None:
    """Create a role if it is missing, still without rights. Raises RoleError as `check_role` does."""
    if not check_role(connection, role):
        connection.exec_driver_sql(f'CREATE ROLE "{role.name}"')
        # So that the owner can end the role's sessions if they hang.
        connection.exec_driver_sql(f'GRANT "{role.name}" TO CURRENT_USER')


def set_up_role(connection: Connection, role: Role) -> None:
    """Change the password of a role that exists, and give it the rights of its part and no others.

    `connection` is the owner's. Raises RoleError as `check_role` does.
    """
    name = f'"{role.name}"'
    check_role(connection, role)
    if role.password is not None:
        # The verifier instead of the password, because the server may log statements.
        connection.exec_driver_sql(f"ALTER ROLE {name} LOGIN PASSWORD '{scram_verifier(role.password)}'")
    for statement in limits_of_time(connection, role):
        connection.exec_driver_sql(statement)
    tables = ", ".join(Base.metadata.tables)
    database = connection.scalar(text("SELECT quote_ident(current_database())"))
    for statement in (
        "REVOKE CREATE ON SCHEMA public FROM PUBLIC",
        f"REVOKE CREATE, TEMPORARY ON DATABASE {database} FROM PUBLIC",
        f"REVOKE ALL ON DATABASE {database} FROM {name}",
        f"GRANT CONNECT ON DATABASE {database} TO {name}",
        f"REVOKE ALL ON SCHEMA public FROM {name}",
        f"GRANT USAGE ON SCHEMA public TO {name}",
        f"REVOKE ALL ON {tables} FROM {name}",
        f"REVOKE ALL ON FUNCTION {', '.join(FUNCTION_RIGHTS)} FROM {name}",
    ):
        connection.exec_driver_sql(statement)
    grant_missing_rights(connection, role)


def grant_missing_rights(connection: Connection, role: Role) -> None:
    """Grant a role the rights of its part that it lacks on the tables, columns and functions that exist by now.

    A migration does so in its own transaction: functions and defaults of columns that it changes may need its new
    tables, and processes of the version before use these functions with their own rights.
    """
    rights = [
        {"relation": table, "privilege": privilege, "column": column}
        for table, by_component in RIGHTS.items()
        for privilege, columns in _PRIVILEGE.findall(by_component.get(role.component, ""))
        for column in (columns.split(", ") if columns else [None])
    ]
    functions = [name for name, components in FUNCTION_RIGHTS.items() if role.component in components]
    values = {"role": role.name, "rights": json.dumps(rights), "functions": functions}
    for statement in connection.scalars(_MISSING_RIGHTS, values).all():
        connection.exec_driver_sql(statement)


def limits_of_time(connection: Connection, role: Role) -> list[str]:
    """Return the statements that give a role the limits of time that it needs and has no value of."""
    if not role.has_limits:
        return []
    names = {setting.partition("=")[0] for setting in connection.scalars(_SETTINGS_OF_ROLE, {"name": role.name})}
    limits, idle_s = _LIMITS[role.component]
    values = {
        "statement_timeout": limits.statement,
        "lock_timeout": limits.lock,
        "idle_in_transaction_session_timeout": idle_s,
    }
    return [
        f"ALTER ROLE {role.name} SET {name} = '{seconds:.0f}s'" for name, seconds in values.items() if name not in names
    ]


def _refuse_power(connection: Connection, role: Role, powers: list[str]) -> None:
    """Raise RoleError for a role whose powers would make the separation of rights worthless."""
    powers += [f"a member of {group}" for group in connection.scalars(_GROUPS, {"name": role.name})]
    if connection.scalar(text("SELECT current_user")) == role.name:
        powers.append("the tables' owner")
    if powers:
        raise RoleError(f"The database role {role.name} may do too much for the {role.component}: {', '.join(powers)}.")


def scram_verifier(password: str, salt: bytes | None = None) -> str:
    """Return PostgreSQL's form of an ASCII password (RFC 5803): it verifies logins without revealing the password."""
    salt = salt or secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, _ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    encoded = [base64.b64encode(component).decode() for component in (salt, stored, server)]
    return f"SCRAM-SHA-256${_ITERATIONS}:{encoded[0]}${encoded[1]}:{encoded[2]}"


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
