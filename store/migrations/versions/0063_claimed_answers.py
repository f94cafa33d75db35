"""No post belongs to two targets by the answer to a first send."""

from alembic import op

from store.functions import source

revision = "0063"
down_revision = "0062"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    op.get_bind().exec_driver_sql(source("settle_target_v3"))
