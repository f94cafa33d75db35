"""An index of the posts of each campaign, by which they are listed and counted."""

from alembic import op

from store.schema import online

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

KIND = "expand"
IN_TRANSACTION = False


def upgrade() -> None:
    """Apply the change."""
    definition = "posts (campaign_id, status, due_at, id) WHERE campaign_id IS NOT NULL"
    online.create_index(op.get_bind(), "posts_of_campaign", definition)
