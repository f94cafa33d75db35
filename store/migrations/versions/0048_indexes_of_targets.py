"""Indexes of targets: those that move, public ones by time, and those whose check before their time is due."""

from alembic import op

from store.schema import online

revision = "0048"
down_revision = "0047"
branch_labels = None
depends_on = None

KIND = "expand"
IN_TRANSACTION = False


def upgrade() -> None:
    """Apply the change."""
    connection = op.get_bind()
    for name, definition in (
        ("targets_moving", "(workspace_id, account_id) WHERE status IN ('publishing', 'unconfirmed')"),
        ("targets_published", "(workspace_id, account_id, published_at) WHERE platform_post_id IS NOT NULL"),
        (
            "targets_unchecked",
            "(due_at) WHERE status = 'pending' AND begun_at IS NULL AND preflight_at IS NULL",
        ),
        (
            "targets_checked",
            "(preflight_at) WHERE status = 'pending' AND begun_at IS NULL AND preflight_at IS NOT NULL",
        ),
    ):
        online.create_index(connection, name, f"targets {definition}")
    # The planner would prefer it, and then look into every workspace.
    connection.exec_driver_sql("DROP INDEX CONCURRENTLY IF EXISTS targets_to_preflight")
