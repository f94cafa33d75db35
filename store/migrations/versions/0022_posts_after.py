"""An index of the posts that wait for another one."""

from alembic import op

from store.schema import online

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

KIND = "expand"
IN_TRANSACTION = False


def upgrade() -> None:
    """Apply the change."""
    definition = "posts (after_post_id, id) WHERE after_post_id IS NOT NULL"
    online.create_index(op.get_bind(), "posts_after", definition)
