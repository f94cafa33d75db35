"""The uploads that series name, and the trigger that keeps them."""

from alembic import op

from store.functions import source

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    op.execute("""ALTER TABLE series ADD COLUMN upload_ids varchar[] COLLATE "C" NOT NULL DEFAULT '{}'""")
    op.get_bind().exec_driver_sql(source("hold_uploads_of_series_v1"))
    op.execute("REVOKE ALL ON FUNCTION hold_uploads_of_series_v1() FROM PUBLIC")
    op.execute(
        "CREATE TRIGGER hold_uploads_of_series BEFORE INSERT OR UPDATE OF contents ON series FOR EACH ROW"
        " WHEN (new.contents::text LIKE '%/media/u/%' OR new.upload_ids <> '{}')"
        " EXECUTE FUNCTION hold_uploads_of_series_v1()"
    )
