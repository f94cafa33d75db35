"""The name and the picture of workspaces for people who connect accounts."""

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    op.add_column("workspaces", sa.Column("page_name", sa.Text(), nullable=True))
    op.add_column("workspaces", sa.Column("page_logo", sa.LargeBinary(), nullable=True))
