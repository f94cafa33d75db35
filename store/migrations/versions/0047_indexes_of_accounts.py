"""Indexes of accounts: those that are to be rechecked, and the keys with which they are encrypted."""

from alembic import op

from store.schema import online

revision = "0047"
down_revision = "0046"
branch_labels = None
depends_on = None

KIND = "expand"
IN_TRANSACTION = False


def upgrade() -> None:
    """Apply the change."""
    connection = op.get_bind()
    online.create_index(connection, "accounts_to_recheck", "accounts (recheck_at) WHERE refused_at IS NOT NULL")
    online.create_index(connection, "accounts_by_key", "accounts (substring(credentials FROM 1 FOR 8))")
