"""Leases of background tasks: which process does which."""

import sqlalchemy as sa
from alembic import op

from store.functions import source

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "leases",
        sa.Column("name", sa.String(collation="C"), nullable=False),
        sa.Column("holder", sa.String(), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name"),
        prefixes=["UNLOGGED"],
        postgresql_with={"fillfactor": 50},
    )
    op.get_bind().exec_driver_sql(source("take_leases_v1"))
