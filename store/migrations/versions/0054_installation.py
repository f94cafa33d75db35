"""The id of the installation."""

import sqlalchemy as sa
from alembic import op

revision = "0054"
down_revision = "0053"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "installation",
        sa.Column("only", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("id", sa.String(collation="C"), nullable=False),
        sa.CheckConstraint('"only"', name="installation_has_one_row"),
        sa.PrimaryKeyConstraint("only"),
    )
    op.execute("INSERT INTO installation (id) VALUES (gen_random_uuid()::text)")
