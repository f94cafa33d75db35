"""Functions that write an event and no longer notify: transactions that notify commit one after the other.

No process hears what emit_v1 notified of. The API, which asks for a test event, notifies the workers. The functions stay what
they are to their callers, so they are replaced in place.
"""

from alembic import op

from store.functions import source

revision = "0064"
down_revision = "0063"
branch_labels = None
depends_on = None

KIND = "expand"

FUNCTIONS = ("emit_v1", "test_webhook_v1")


def upgrade() -> None:
    """Apply the change."""
    for function in FUNCTIONS:
        lines = source(function).splitlines()
        without = "\n".join(line for line in lines if "pg_notify" not in line)
        op.get_bind().exec_driver_sql(without.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1))
