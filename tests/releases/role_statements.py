"""The statements that the roles of a release may run, made from its schema and its rows.

Each function is called with values of the release's rows, and each table is read, written and cleared as far as the
roles may. Whatever a function, a trigger or a default then needs is checked with the rights of the role.
"""

import json
from collections.abc import Mapping

import asyncpg

from tests.databases import ROLES

_FUNCTIONS = """
SELECT proname, proargnames[1:pronargs] AS names,
       ARRAY(SELECT t::regtype::text FROM unnest(proargtypes::oid[]) WITH ORDINALITY AS a (t, n) ORDER BY n) AS types
FROM pg_proc
WHERE pronamespace = 'public'::regnamespace AND prorettype <> 'trigger'::regtype
  AND has_function_privilege($1, oid, 'EXECUTE')
"""
_COLUMNS = """
SELECT relname, attname, atttypid::regtype::text AS type,
       has_column_privilege($1, pg_class.oid, attname, 'SELECT') AS may_read,
       has_column_privilege($1, pg_class.oid, attname, 'UPDATE') AND attgenerated = '' AS may_update,
       has_column_privilege($1, pg_class.oid, attname, 'INSERT') AND attgenerated = '' AS may_insert,
       has_table_privilege($1, pg_class.oid, 'DELETE') AS may_delete
FROM pg_class JOIN pg_attribute ON attrelid = pg_class.oid
WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND attnum > 0 AND NOT attisdropped
ORDER BY relname, attnum
"""
_TARGETS = "SELECT DISTINCT ON (status) id FROM targets ORDER BY status, id"
_NEW = """'{"id": "new", "post_id": "new", "workflow_id": "new", "external_id": null}'"""
_ROWS = {
    "_post": f"(SELECT to_jsonb(p) || {_NEW} FROM posts AS p WHERE p.id = t.post_id)",
    "_targets": f"jsonb_build_array(to_jsonb(t) || {_NEW})",
    "_target_id": "t.id",
    "_post_id": "t.post_id",
    "_version": "(SELECT version FROM posts AS p WHERE p.id = t.post_id)",
    "_now": "now()",
}
"""Arguments by their names, of the row `t` of a target."""
_KEYS = ("id", "workflow_id", "external_id", "token", "key")
_PLAIN = {
    "timestamp with time zone": "timestamptz 'infinity'",
    "integer": "0",
    "boolean": "false",
    "interval": "interval '0'",
}
"""Arguments by their types; others are null."""
_RUN = """
DO $run$
DECLARE
  _statement text;
  _message text;
  _refused jsonb := '{}';
BEGIN
  FOR _statement IN SELECT jsonb_array_elements_text(current_setting('test.statements')::jsonb) LOOP
    BEGIN
      EXECUTE _statement;
      -- Undoes the statement.
      RAISE EXCEPTION 'undone';
    EXCEPTION
      WHEN insufficient_privilege THEN
        GET STACKED DIAGNOSTICS _message = MESSAGE_TEXT;
        _refused := _refused || jsonb_build_object(_statement, _message);
      WHEN OTHERS THEN NULL;
    END;
  END LOOP;
  PERFORM set_config('test.refused', _refused::text, false);
END
$run$
"""


async def refused_statements(url: str, statements: Mapping[str, list[str]]) -> dict[str, dict[str, str]]:
    """Run the statements of each role, undo them, and return those that the database refuses for a lack of rights."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        refused = {}
        for name, of_role in statements.items():
            await connection.execute("SELECT set_config('test.statements', $1, false)", json.dumps(of_role))
            await connection.execute(f"SET ROLE {name}")
            await connection.execute(_RUN)
            await connection.execute("RESET ROLE")
            refused[name] = json.loads(await connection.fetchval("SELECT current_setting('test.refused')"))
        return refused
    finally:
        await connection.close()


async def role_statements(url: str) -> dict[str, list[str]]:
    """Return, by role, the statements for which each role has the rights in a database as it is."""
    connection = await asyncpg.connect(url.replace("+asyncpg", ""))
    try:
        statements = {role.name: await _statements(connection, role.name) for role in ROLES}
    finally:
        await connection.close()
    refused = await refused_statements(url, statements)
    return {name: [row for row in rows if row not in refused[name]] for name, rows in statements.items()}


async def _statements(connection: asyncpg.Connection, role: str) -> list[str]:
    columns = await connection.fetch(_COLUMNS, role)
    types = {row["attname"]: row["type"] for row in columns if row["relname"] == "targets" and row["may_read"]}
    statements = []
    targets = [row["id"] for row in await connection.fetch(_TARGETS)]
    for function in await connection.fetch(_FUNCTIONS, role):
        arguments = [
            _ROWS.get(name)
            or (f"t.{name[1:]}" if types.get(name[1:]) == type_ else _PLAIN.get(type_, f"NULL::{type_}"))
            for name, type_ in zip(function["names"] or (), function["types"], strict=True)
        ]
        call = f"SELECT f.* FROM targets AS t, {function['proname']}({', '.join(arguments)}) AS f WHERE t.id = "
        statements += [f"{call}'{target}'" for target in targets]
    for table in sorted({row["relname"] for row in columns}):
        of_table = [row for row in columns if row["relname"] == table]
        readable = [f'"{row["attname"]}"' for row in of_table if row["may_read"]]
        if readable:
            statements.append(f"SELECT {', '.join(readable)} FROM {table}")
        statements += [
            f'UPDATE {table} SET "{row["attname"]}" = "{row["attname"]}"'
            for row in of_table
            if row["may_update"] and row["may_read"]
        ]
        inserted = [
            row
            for row in of_table
            if row["may_insert"] and row["may_read"] and (row["attname"], row["type"]) != ("id", "bigint")
        ]
        values = [
            f"\"{row['attname']}\" || '_new'" if row["attname"] in _KEYS else f'"{row["attname"]}"' for row in inserted
        ]
        names = ", ".join(f'"{row["attname"]}"' for row in inserted)
        if inserted:
            statements.append(f"INSERT INTO {table} ({names}) SELECT {', '.join(values)} FROM {table} LIMIT 1")
        if of_table[0]["may_delete"]:
            statements.append(f"DELETE FROM {table}")
    return statements
