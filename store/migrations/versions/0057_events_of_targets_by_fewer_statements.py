"""The triggers that write the events of targets by fewer statements."""

from alembic import op

from store.functions import source

revision = "0057"
down_revision = "0056"
branch_labels = None
depends_on = None

KIND = "expand"

TRIGGERS = (
    ("emit_target_events", "UPDATE OF status, confirming", "new.status <> 'publishing'", "status"),
    (
        "emit_target_edits",
        "UPDATE OF edit_history",
        "jsonb_array_length(new.edit_history) > jsonb_array_length(old.edit_history)",
        "edit",
    ),
    (
        "emit_target_risks",
        "UPDATE OF preflight_code",
        "old.preflight_code IS NULL AND new.preflight_code IS NOT NULL",
        "risk",
    ),
)


def upgrade() -> None:
    """Apply the change."""
    op.get_bind().exec_driver_sql(source("emit_target_events_v3"))
    op.execute("REVOKE ALL ON FUNCTION emit_target_events_v3() FROM PUBLIC")
    for name, event, condition, change in TRIGGERS:
        op.execute(
            f"CREATE OR REPLACE TRIGGER {name} AFTER {event} ON targets FOR EACH ROW"
            f" WHEN ({condition}) EXECUTE FUNCTION emit_target_events_v3('{change}')"
        )
