"""Queues, and the trigger by which a post that gets another time leaves its queue."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from store.functions import source

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "queues",
        sa.Column("id", sa.String(collation="C"), nullable=False),
        sa.Column("workspace_id", sa.String(collation="C"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("slots", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("blackouts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("queues_by_name", "queues", ["workspace_id", "name"], unique=True)
    op.create_table(
        "queue_accounts",
        sa.Column("workspace_id", sa.String(collation="C"), nullable=False),
        sa.Column("platform", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C"), nullable=False),
        sa.Column("queue_id", sa.String(collation="C"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["queue_id"], ["queues.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("workspace_id", "platform", "account_id"),
    )
    op.create_index("queue_accounts_of_queue", "queue_accounts", ["queue_id", "position"])
    op.get_bind().exec_driver_sql(source("leave_queue_v1"))
    op.execute(
        "CREATE TRIGGER leave_queue BEFORE UPDATE ON posts FOR EACH ROW"
        " WHEN (old.queue_id IS NOT NULL AND new.queue_id IS NOT NULL AND (new.status = 'draft'"
        " OR new.scheduled_wall IS DISTINCT FROM old.scheduled_wall OR new.timezone IS DISTINCT FROM old.timezone))"
        " EXECUTE FUNCTION leave_queue_v1()"
    )
