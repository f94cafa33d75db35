"""The timeline on which a post was created, if its rows were not known to be complete then."""

import sqlalchemy as sa
from alembic import op

from store.functions import source

revision = "0060"
down_revision = "0059"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    op.get_bind().exec_driver_sql(source("untrusted_timeline_v1"))
    op.add_column("restores", sa.Column("timeline", sa.Text(), nullable=True))
    op.add_column("posts", sa.Column("untrusted_timeline", sa.Text(), nullable=True))
    op.alter_column("posts", "untrusted_timeline", server_default=sa.text("untrusted_timeline_v1()"))
