"""The index that lets one post be an occurrence of a series."""

from alembic import op

from store.schema import online

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

KIND = "expand"
IN_TRANSACTION = False


def upgrade() -> None:
    """Apply the change."""
    definition = "posts (series_id, occurrence) WHERE series_id IS NOT NULL"
    online.create_index(op.get_bind(), "posts_of_series", definition, unique=True)
