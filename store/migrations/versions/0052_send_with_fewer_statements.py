"""The begin of a send with one statement for the target, its open send and the gates."""

from alembic import op

from store.functions import source

revision = "0052"
down_revision = "0051"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    op.get_bind().exec_driver_sql(source("begin_send_v6"))
