"""The object by which processes recognize the store of uploads."""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "storage_markers",
        sa.Column("only", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("key", sa.String(), nullable=False),
        sa.CheckConstraint('"only"', name="storage_markers_has_one_row"),
        sa.PrimaryKeyConstraint("only"),
    )
