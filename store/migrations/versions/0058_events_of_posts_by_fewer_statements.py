"""The triggers that write the events of posts by fewer statements."""

from alembic import op

from store.functions import source

revision = "0058"
down_revision = "0057"
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
    op.get_bind().exec_driver_sql(source("emit_post_events_v3"))
    op.execute("REVOKE ALL ON FUNCTION emit_post_events_v3() FROM PUBLIC")
    for name, event, condition in TRIGGERS:
        op.execute(
            f"CREATE OR REPLACE TRIGGER {name} AFTER {event} ON posts FOR EACH ROW"
            f" WHEN ({condition}) EXECUTE FUNCTION emit_post_events_v3()"
        )
