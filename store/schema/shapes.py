"""Digests of the tables and functions in a database, by which a schema that somebody has changed is recognised."""

import hashlib
from collections import defaultdict

from sqlalchemy import Connection, text

# Without what PostgreSQL writes out in words of its own, which another release of it may write otherwise. Indexes that
# are no constraints may be added or left out by the owner of the database.
_FACTS = text("""
WITH ours AS (
  SELECT oid, relname FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p')
    AND relname <> 'alembic_version'
)
SELECT relname AS name, format('column %s %s %s %s', attname, format_type(atttypid, atttypmod), attnotnull, atthasdef)
  AS fact
FROM ours JOIN pg_attribute ON attrelid = ours.oid WHERE attnum > 0 AND NOT attisdropped
UNION ALL
SELECT relname, format('constraint %s %s', conname, contype) FROM ours JOIN pg_constraint ON conrelid = ours.oid
WHERE contype IN ('p', 'u', 'f', 'c')
UNION ALL
SELECT relname, format('trigger %s %s', tgname, proname)
FROM ours JOIN pg_trigger ON tgrelid = ours.oid JOIN pg_proc ON pg_proc.oid = tgfoid WHERE NOT tgisinternal
UNION ALL
SELECT proname || '()', format('%s %s %s', pronargs, prosecdef, md5(prosrc)) FROM pg_proc
WHERE pronamespace = 'public'::regnamespace
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = pg_proc.oid AND d.deptype = 'e')
""")


def read_shape(connection: Connection) -> dict[str, str]:
    """Return a digest of each table and function, by name; a function's name ends with ()."""
    facts: defaultdict[str, list[str]] = defaultdict(list)
    for name, fact in connection.execute(_FACTS):
        facts[name].append(fact)
    return {name: hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16] for name, lines in facts.items()}
