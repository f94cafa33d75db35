"""Events of workspaces that listen, and the trigger that writes those of targets."""

from alembic import op

from store.functions import source

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

KIND = "expand"

FUNCTIONS = ("event_time_v1", "emit_v1", "emit_target_events_v1", "emit_ends_v1")


def upgrade() -> None:
    """Apply the change."""
    op.execute("""
        CREATE TABLE listeners (
          workspace_id varchar COLLATE "C" PRIMARY KEY REFERENCES workspaces (id) ON DELETE CASCADE,
          read_at timestamptz NOT NULL DEFAULT clock_timestamp(),
          since timestamptz,
          since_xid xid8
        )
    """)
    op.execute("""
        CREATE TABLE events (
          id varchar COLLATE "C" PRIMARY KEY DEFAULT 'evt_' || replace(uuidv7()::text, '-', ''),
          seq bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
          xid xid8 NOT NULL DEFAULT pg_current_xact_id(),
          workspace_id varchar COLLATE "C" NOT NULL,
          type text NOT NULL,
          at timestamptz NOT NULL DEFAULT clock_timestamp(),
          post_id varchar COLLATE "C",
          data json NOT NULL
        )
    """)
    op.execute("CREATE INDEX events_feed ON events (workspace_id, xid, seq)")
    # By it each end is written once.
    op.execute("""
        CREATE INDEX events_of_ends ON events (workspace_id, type)
        WHERE type IN ('account.expiring', 'api_key.expiring')
    """)
    for name in FUNCTIONS:
        op.get_bind().exec_driver_sql(source(name))
    # PostgreSQL lets everybody execute a new function.
    op.execute("REVOKE ALL ON FUNCTION emit_target_events_v1(), emit_ends_v1(interval) FROM PUBLIC")
    op.execute("""
        CREATE TRIGGER emit_target_events AFTER UPDATE OF status, confirming, edit_history, preflight_code ON targets
        FOR EACH ROW WHEN (
          (old.status IS DISTINCT FROM new.status AND new.status IN ('published', 'failed', 'unconfirmed', 'held'))
          OR (new.status = 'unconfirmed' AND old.confirming AND NOT new.confirming)
          OR jsonb_array_length(new.edit_history) > jsonb_array_length(old.edit_history)
          OR (old.preflight_code IS NULL AND new.preflight_code IS NOT NULL)
        ) EXECUTE FUNCTION emit_target_events_v1()
    """)
