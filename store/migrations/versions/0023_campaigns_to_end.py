"""An index of the campaigns that are still to end."""

from alembic import op

from store.schema import online

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

KIND = "expand"
IN_TRANSACTION = False


def upgrade() -> None:
    """Apply the change."""
    online.create_index(op.get_bind(), "campaigns_to_end", "campaigns (ends_at) WHERE status <> 'ended'")
