"""Gates of campaigns and series, and gates that a plan closes, checked where a send begins."""

from alembic import op

from store.functions import source

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

KIND = "expand"

FUNCTIONS = ("pass_gate_v2", "begin_send_v3", "check_gate_v2")


def upgrade() -> None:
    """Apply the change."""
    for name in FUNCTIONS:
        op.get_bind().exec_driver_sql(source(name))
    # As in 0002, but begin_send_v2 has not passed every gate.
    op.execute(
        "CREATE OR REPLACE TRIGGER check_gate BEFORE INSERT ON attempts FOR EACH ROW"
        " WHEN (new.step = 'publish' AND new.state = 'sending' AND new.code IS NULL"
        " AND current_setting('socialsyncer.passed_gates', true) IS DISTINCT FROM new.target_id)"
        " EXECUTE FUNCTION check_gate_v2()"
    )
