"""The triggers that write the events of posts."""

from alembic import op

from store.functions import source

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

KIND = "expand"

TRIGGERS = (
    ("emit_scheduled_post", "INSERT", "new.status = 'scheduled'"),
    (
        "emit_changed_post",
        "UPDATE OF status",
        (
            "old.status IS DISTINCT FROM new.status AND (new.status IN ('scheduled', 'published', 'partial', 'failed')"
            " OR (new.status = 'draft' AND old.status IN ('scheduled', 'publishing')))"
        ),
    ),
    ("emit_deleted_post", "DELETE", "old.status IN ('scheduled', 'publishing')"),
)


def upgrade() -> None:
    """Apply the change."""
    op.get_bind().exec_driver_sql(source("emit_post_events_v1"))
    op.execute("REVOKE ALL ON FUNCTION emit_post_events_v1() FROM PUBLIC")
    for name, event, condition in TRIGGERS:
        op.execute(
            f"CREATE TRIGGER {name} AFTER {event} ON posts FOR EACH ROW"
            f" WHEN ({condition}) EXECUTE FUNCTION emit_post_events_v1()"
        )
