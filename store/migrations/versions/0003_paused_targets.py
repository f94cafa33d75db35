"""An index of the targets that are held by a pause."""

from alembic import op

from store.schema import online

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

KIND = "expand"
IN_TRANSACTION = False


def upgrade() -> None:
    """Apply the change."""
    online.create_index(op.get_bind(), "targets_paused", "targets (workspace_id, post_id) WHERE hold_reason = 'paused'")
