"""Calendars that people without an API key may see."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "calendar_views",
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("id", sa.String(collation="C"), nullable=False),
        sa.Column("workspace_id", sa.String(collation="C"), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("campaign_id", sa.String(collation="C"), nullable=True),
        sa.Column("account_id", sa.String(collation="C"), nullable=True),
        sa.Column("show", sa.Text(), nullable=False),
        sa.Column("created_by", sa.String(collation="C"), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("sha256"),
        sa.UniqueConstraint("id"),
    )
    op.create_index("calendar_views_of_workspace", "calendar_views", ["workspace_id", "id"])
