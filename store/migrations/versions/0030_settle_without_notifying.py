"""Functions that settle a target without notifying within their transaction, and record the delivery with a send."""

from alembic import op

from store.functions import source

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

KIND = "expand"

FUNCTIONS = ("refresh_post_v2", "settle_target_v2", "begin_send_v4")


def upgrade() -> None:
    """Apply the change."""
    for name in FUNCTIONS:
        op.get_bind().exec_driver_sql(source(name))
