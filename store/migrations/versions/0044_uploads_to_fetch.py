"""An index of the uploads that workers are to fetch."""

from alembic import op

from store.schema import online

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None

KIND = "expand"
IN_TRANSACTION = False


def upgrade() -> None:
    """Apply the change."""
    definition = "uploads (fetch_at) WHERE fetch_at IS NOT NULL"
    online.create_index(op.get_bind(), "uploads_to_fetch", definition)
