"""Own rates of API keys that are issued over the API."""

from alembic import op

from store.functions import source

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

KIND = "expand"

SIGNATURE = "text, text, bytea, text, text, text[], timestamptz, integer, text, interval"


def upgrade() -> None:
    """Apply the change."""
    op.get_bind().exec_driver_sql(source("issue_key_v2"))
    op.execute(f"REVOKE ALL ON FUNCTION issue_key_v2({SIGNATURE}) FROM PUBLIC")
