"""The wish of workspaces and accounts for a target that was refused and cannot be read back."""

import sqlalchemy as sa
from alembic import op

revision = "0065"
down_revision = "0064"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    for table in ("workspaces", "accounts"):
        op.add_column(table, sa.Column("when_unreadable", sa.Text(), nullable=True))
