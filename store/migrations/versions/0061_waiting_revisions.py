"""The index of edits that wait."""

from alembic import op

from store.schema import online

revision = "0061"
down_revision = "0060"
branch_labels = None
depends_on = None

KIND = "expand"
IN_TRANSACTION = False


def upgrade() -> None:
    """Apply the change."""
    online.create_index(op.get_bind(), "revisions_waiting", "revisions (post_id) WHERE state = 'waiting'")
