"""The triggers that write the events of posts, for less of PostgreSQL's time and without a notification."""

from alembic import op

from store.functions import source

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None

KIND = "expand"

TRIGGERS = (
    ("emit_scheduled_post", "INSERT", "new.status = 'scheduled'"),
    ("emit_changed_post", "UPDATE OF status", "new.status <> 'publishing'"),
    ("emit_deleted_post", "DELETE", "old.status IN ('scheduled', 'publishing')"),
)


def upgrade() -> None:
    """Apply the change."""
    op.get_bind().exec_driver_sql(source("emit_post_events_v2"))
    op.execute("REVOKE ALL ON FUNCTION emit_post_events_v2() FROM PUBLIC")
    for name, event, condition in TRIGGERS:
        op.execute(
            f"CREATE OR REPLACE TRIGGER {name} AFTER {event} ON posts FOR EACH ROW"
            f" WHEN ({condition}) EXECUTE FUNCTION emit_post_events_v2()"
        )
