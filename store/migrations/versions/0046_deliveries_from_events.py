"""Deliveries that a worker makes of new events, instead of the transactions that write these."""

from alembic import op

from store.functions import source

revision = "0046"
down_revision = "0045"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    op.execute("""
        CREATE TABLE delivery_progress (
          "only" boolean PRIMARY KEY DEFAULT true CONSTRAINT delivery_progress_has_one_row CHECK ("only"),
          low xid8 NOT NULL,
          at timestamptz NOT NULL DEFAULT clock_timestamp()
        )
    """)
    op.execute("ALTER TABLE webhooks ADD COLUMN enabled_at timestamptz")
    op.get_bind().exec_driver_sql(source("make_deliveries_v3"))
    # It locks the table: a transaction that has written an event has made its deliveries, and ended.
    op.execute(
        "CREATE OR REPLACE TRIGGER make_deliveries AFTER INSERT ON events FOR EACH ROW"
        " WHEN (false) EXECUTE FUNCTION make_deliveries_v2()"
    )
    op.execute("INSERT INTO delivery_progress (low) VALUES (pg_snapshot_xmin(pg_current_snapshot()))")
