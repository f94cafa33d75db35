"""Thumbnails: small pictures of uploads, for people who look at a calendar or a library."""

import sqlalchemy as sa
from alembic import op

revision = "0055"
down_revision = "0054"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "thumbnails",
        sa.Column("upload_id", sa.String(collation="C"), nullable=False),
        sa.Column("workspace_id", sa.String(collation="C"), nullable=False),
        sa.Column("token", sa.String(collation="C"), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=True),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), server_default=sa.text("0"), nullable=False),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["upload_id"], ["uploads.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("upload_id"),
        sa.UniqueConstraint("token"),
    )
    waiting = sa.text("due_at IS NOT NULL")
    op.create_index("thumbnails_due", "thumbnails", ["due_at"], postgresql_where=waiting)
    op.create_index("thumbnails_of_workspace_due", "thumbnails", ["workspace_id", "due_at"], postgresql_where=waiting)
