"""The time from which nothing of an ended campaign was on its way, and the trigger that writes its event."""

from alembic import op

from store.functions import source

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    op.execute("ALTER TABLE campaigns ADD COLUMN completed_at timestamptz")
    op.get_bind().exec_driver_sql(source("emit_completed_campaign_v1"))
    op.execute("REVOKE ALL ON FUNCTION emit_completed_campaign_v1() FROM PUBLIC")
    # Campaigns that ended long before this migration are recorded, too, and that is no news.
    op.execute("""
        CREATE TRIGGER emit_completed_campaign AFTER UPDATE OF completed_at ON campaigns FOR EACH ROW
        WHEN (new.completed_at IS NOT NULL AND new.ends_at > now() - interval '30 days')
        EXECUTE FUNCTION emit_completed_campaign_v1()
    """)
