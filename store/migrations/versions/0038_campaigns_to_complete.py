"""An index of the ended campaigns of which something may be on its way."""

from alembic import op

from store.schema import online

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None

KIND = "expand"
IN_TRANSACTION = False


def upgrade() -> None:
    """Apply the change."""
    online.create_index(
        op.get_bind(), "campaigns_to_complete", "campaigns (id) WHERE status = 'ended' AND completed_at IS NULL"
    )
