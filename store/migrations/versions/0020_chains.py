"""The post for which another one waits."""

from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    op.execute(
        'ALTER TABLE posts ADD COLUMN after_post_id text COLLATE "C", ADD COLUMN after_delay text,'
        " ADD COLUMN after_on_failure text"
    )
