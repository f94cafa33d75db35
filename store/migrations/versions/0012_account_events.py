"""The triggers that write the events of accounts and of late posts."""

from alembic import op

from store.functions import source

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

KIND = "expand"

TRIGGERS = (
    ("account_events", "emit_account_event", "INSERT", "new.action IN ('connected', 'reconnected', 'removed')"),
    (
        "accounts",
        "emit_account_change",
        "UPDATE OF refused_at",
        "(old.refused_at IS NULL) <> (new.refused_at IS NULL)",
    ),
    ("late_posts", "emit_late_post", "INSERT", "true"),
)


def upgrade() -> None:
    """Apply the change."""
    for table, name, event, condition in TRIGGERS:
        op.get_bind().exec_driver_sql(source(f"{name}_v1"))
        op.execute(f"REVOKE ALL ON FUNCTION {name}_v1() FROM PUBLIC")
        op.execute(
            f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW"
            f" WHEN ({condition}) EXECUTE FUNCTION {name}_v1()"
        )
