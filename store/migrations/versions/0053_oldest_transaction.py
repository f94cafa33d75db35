"""The function that tells the age of the oldest transaction."""

from alembic import op

from store.functions import source

revision = "0053"
down_revision = "0052"
branch_labels = None
depends_on = None

KIND = "expand"

FUNCTION = "oldest_transaction_v1()"


def upgrade() -> None:
    """Apply the change."""
    op.get_bind().exec_driver_sql(source("oldest_transaction_v1"))
    op.execute(f"REVOKE ALL ON FUNCTION {FUNCTION} FROM PUBLIC")
