"""The triggers that keep the uploads that targets name."""

from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None

KIND = "expand"

_NEW = "(new.custom_media::text LIKE '%/media/u/%' OR new.settings::text LIKE '%/media/u/%')"
_OLD = _NEW.replace("new.", "old.")
_CHANGED = "(old.custom_media IS DISTINCT FROM new.custom_media OR old.settings IS DISTINCT FROM new.settings)"

TRIGGERS = (
    ("keep_uploads_of_new_target", "INSERT", _NEW),
    ("keep_uploads_of_changed_target", "UPDATE OF custom_media, settings", f"{_CHANGED} AND ({_OLD} OR {_NEW})"),
    ("keep_uploads_of_deleted_target", "DELETE", _OLD),
)


def upgrade() -> None:
    """Apply the change."""
    for name, event, condition in TRIGGERS:
        op.execute(
            f"CREATE TRIGGER {name} AFTER {event} ON targets FOR EACH ROW"
            f" WHEN ({condition}) EXECUTE FUNCTION keep_upload_uses_v1()"
        )
