"""The trigger that adds events to what endpoints get, without a notification."""

from alembic import op

from store.functions import source

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    op.get_bind().exec_driver_sql(source("make_deliveries_v2"))
    op.execute("REVOKE ALL ON FUNCTION make_deliveries_v2() FROM PUBLIC")
    op.execute(
        "CREATE OR REPLACE TRIGGER make_deliveries AFTER INSERT ON events FOR EACH ROW"
        " EXECUTE FUNCTION make_deliveries_v2()"
    )
