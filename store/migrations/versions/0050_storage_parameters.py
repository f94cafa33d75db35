"""Storage parameters of large tables, so that a vacuum comes before too many rows change; an index of audit lines."""

from alembic import op

from store.schema import online

revision = "0050"
down_revision = "0049"
branch_labels = None
depends_on = None

KIND = "expand"
IN_TRANSACTION = False

TABLES = ("posts", "targets", "attempts", "idempotency_keys", "rate_limit_slots", "events", "deliveries")
# By PostgreSQL's default, a fifth of the rows must change first: partial indexes that are read as queues grow meanwhile.
_VACUUM = "autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_insert_scale_factor = 0.02"
# Rows of these change soon after they are added: with room on its page, a change writes no index.
_FILLED = {"targets": 90, "attempts": 90, "idempotency_keys": 90}


def upgrade() -> None:
    """Apply the change."""
    connection = op.get_bind()
    online.create_index(connection, "audit_events_of_workspace", "audit_events (workspace_id, id)")
    for table in TABLES:
        fillfactor = f", fillfactor = {_FILLED[table]}" if table in _FILLED else ""
        connection.exec_driver_sql(f"ALTER TABLE {table} SET ({_VACUUM}{fillfactor})")
