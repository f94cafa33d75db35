"""The trigger that writes the events of campaigns."""

from alembic import op

from store.functions import source

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    op.get_bind().exec_driver_sql(source("emit_campaign_event_v1"))
    op.execute("REVOKE ALL ON FUNCTION emit_campaign_event_v1() FROM PUBLIC")
    op.execute("""
        CREATE TRIGGER emit_campaign_event AFTER UPDATE OF status ON campaigns FOR EACH ROW
        WHEN (
          old.status IS DISTINCT FROM new.status
          AND (new.status IN ('paused', 'ended') OR (new.status = 'active' AND old.status = 'paused'))
        ) EXECUTE FUNCTION emit_campaign_event_v1()
    """)
