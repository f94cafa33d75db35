"""An index of the newest changes of posts that have a wall time, for the comparison with time zones."""

from alembic import op

from store.schema import online

revision = "0049"
down_revision = "0048"
branch_labels = None
depends_on = None

KIND = "expand"
IN_TRANSACTION = False


def upgrade() -> None:
    """Apply the change."""
    definition = "posts (updated_at, id) WHERE scheduled_wall IS NOT NULL AND status IN ('draft', 'scheduled')"
    online.create_index(op.get_bind(), "posts_wall_changes", definition)
