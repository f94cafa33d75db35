"""The times at which a gate is planned to be closed: the blackouts and the end of a campaign."""

from alembic import op

from store.functions import source

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    op.execute("ALTER TABLE gates ADD COLUMN planned tstzmultirange NOT NULL DEFAULT '{}'")
    op.get_bind().exec_driver_sql(source("plan_gate_v1"))
