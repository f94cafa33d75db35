"""The server whose rows are known to be complete."""

import sqlalchemy as sa
from alembic import op

from store.functions import source

revision = "0059"
down_revision = "0058"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "trusted_server",
        sa.Column("only", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("identity", sa.Text(), nullable=True),
        sa.Column("timeline", sa.Text(), nullable=True),
        sa.CheckConstraint('"only"', name="trusted_server_has_one_row"),
        sa.PrimaryKeyConstraint("only"),
    )
    for function in ("server_identity_v1", "server_position_v1", "check_server_v1"):
        op.get_bind().exec_driver_sql(source(function))
    op.execute(
        "INSERT INTO trusted_server (identity, timeline)"
        " SELECT server_identity_v1(), timeline FROM server_position_v1()"
    )
