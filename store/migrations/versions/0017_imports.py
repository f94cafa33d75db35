"""Imports, with the results of their rows."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    document = postgresql.JSONB(astext_type=sa.Text())
    op.create_table(
        "imports",
        sa.Column("id", sa.String(collation="C"), nullable=False),
        sa.Column("workspace_id", sa.String(collation="C"), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("created_by", sa.String(collation="C"), nullable=False),
        sa.Column("counts", document, nullable=False),
        sa.Column("warnings", document, nullable=False),
        sa.Column("results", document, nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("imports_of_workspace", "imports", ["workspace_id", sa.text("id DESC")])
