"""The time until which the request of an attempt may be sent, which ends the wait for a lost worker."""

import sqlalchemy as sa
from alembic import op

from store.functions import source

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    op.add_column("attempts", sa.Column("sendable_until", sa.DateTime(timezone=True), nullable=True))
    op.get_bind().exec_driver_sql(source("begin_send_v5"))
    # As in 0007. Only begin_send_v5 writes the column, and it has passed the gates.
    op.execute(
        "CREATE OR REPLACE TRIGGER check_gate BEFORE INSERT ON attempts FOR EACH ROW"
        " WHEN (new.step = 'publish' AND new.state = 'sending' AND new.code IS NULL AND new.sendable_until IS NULL"
        " AND current_setting('socialsyncer.passed_gates', true) IS DISTINCT FROM new.target_id)"
        " EXECUTE FUNCTION check_gate_v2()"
    )
