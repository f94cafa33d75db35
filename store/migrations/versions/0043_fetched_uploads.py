"""Uploads that a worker fetches from an address that a client names."""

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    op.add_column("uploads", sa.Column("source_url", sa.Text(), nullable=True))
    op.add_column("uploads", sa.Column("fetch_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("uploads", sa.Column("fetches", sa.SmallInteger(), server_default=sa.text("0"), nullable=False))
    op.add_column("uploads", sa.Column("error_code", sa.Text(), nullable=True))
    op.add_column("uploads", sa.Column("error", sa.Text(), nullable=True))
