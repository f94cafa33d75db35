"""The index that lets one post have a slot of a queue."""

from alembic import op

from store.schema import online

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None

KIND = "expand"
IN_TRANSACTION = False


def upgrade() -> None:
    """Apply the change."""
    definition = "posts (queue_id, scheduled_wall) INCLUDE (scheduled_for) WHERE queue_id IS NOT NULL"
    online.create_index(op.get_bind(), "posts_by_slot", definition, unique=True)
