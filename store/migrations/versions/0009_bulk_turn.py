"""The turn of bulk deliveries: one pace for all workers."""

import sqlalchemy as sa
from alembic import op

from store.functions import source

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "bulk_turn",
        sa.Column("only", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint('"only"', name="bulk_turn_has_one_row"),
        sa.PrimaryKeyConstraint("only"),
    )
    op.get_bind().exec_driver_sql(source("bulk_delivery_at_v1"))
    op.execute("INSERT INTO bulk_turn (at) VALUES (now())")
