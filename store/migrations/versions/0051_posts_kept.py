"""The number of days for which a workspace keeps settled posts, and the function that deletes them."""

import sqlalchemy as sa
from alembic import op

from store.functions import source

revision = "0051"
down_revision = "0050"
branch_labels = None
depends_on = None

KIND = "expand"

FUNCTION = "delete_past_posts_v1(text, int, int)"


def upgrade() -> None:
    """Apply the change."""
    op.add_column("workspaces", sa.Column("posts_kept_days", sa.Integer(), nullable=True))
    op.get_bind().exec_driver_sql(source("delete_past_posts_v1"))
    op.execute(f"REVOKE ALL ON FUNCTION {FUNCTION} FROM PUBLIC")
