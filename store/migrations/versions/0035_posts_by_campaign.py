"""An index of a campaign's posts in the order of their creation, for its lists."""

from alembic import op

from store.schema import online

revision = "0035"
down_revision = "0034"
branch_labels = None
depends_on = None

KIND = "expand"
IN_TRANSACTION = False


def upgrade() -> None:
    """Apply the change."""
    definition = (
        "posts (workspace_id, campaign_id, id DESC) INCLUDE (scheduled_for, updated_at) WHERE campaign_id IS NOT NULL"
    )
    online.create_index(op.get_bind(), "posts_list_by_campaign", definition)
