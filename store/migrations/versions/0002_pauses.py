"""Pauses: gates that stop posts from being sent, checked where a send begins."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from store.functions import source

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

KIND = "expand"

FUNCTIONS = ("pass_gate_v1", "close_gate_v1", "open_gate_v1", "begin_send_v2", "check_gate_v1")


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "gates",
        sa.Column("workspace_id", sa.String(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("id", sa.String(collation="C"), nullable=False),
        sa.Column("closed", postgresql.TSTZMULTIRANGE(), server_default=sa.text("'{}'"), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("workspace_id", "kind", "id"),
    )
    op.create_table(
        "pauses",
        sa.Column("id", sa.String(collation="C"), nullable=False),
        sa.Column("workspace_id", sa.String(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("gate_id", sa.String(collation="C"), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("paused_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paused_by_type", sa.Text(), nullable=False),
        sa.Column("paused_by", sa.Text(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_by_type", sa.Text(), nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    under_way = sa.text("ended_at IS NULL")
    op.create_index(
        "pauses_under_way", "pauses", ["workspace_id", "kind", "gate_id"], unique=True, postgresql_where=under_way
    )
    op.create_index("pauses_of_workspace", "pauses", ["workspace_id", sa.text("id DESC")])
    op.execute("ALTER TABLE posts ADD COLUMN skip_reason text")
    for name in FUNCTIONS:
        op.get_bind().exec_driver_sql(source(name))
    # Attempts with a code stand for sends whose rows were lost: they are confirmed, never sent.
    op.execute(
        "CREATE TRIGGER check_gate BEFORE INSERT ON attempts FOR EACH ROW"
        " WHEN (new.step = 'publish' AND new.state = 'sending' AND new.code IS NULL"
        " AND current_setting('socialsyncer.passed_gate', true) IS DISTINCT FROM new.target_id)"
        " EXECUTE FUNCTION check_gate_v1()"
    )
