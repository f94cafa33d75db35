"""An index of the posts that were published at once, by the time at which they were due."""

from alembic import op

from store.schema import online

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

KIND = "expand"
IN_TRANSACTION = False


def upgrade() -> None:
    """Apply the change."""
    online.create_index(
        op.get_bind(),
        "posts_at_once",
        "posts (workspace_id, due_at, id) INCLUDE (status) WHERE scheduled_for IS NULL AND due_at IS NOT NULL",
    )
