"""The uploads that posts name, and the trigger on `posts` that keeps them."""

from alembic import op

from store.functions import source

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None

KIND = "expand"

_COLUMNS = ("media_items", "tiktok_settings", "facebook_settings")
_NEW, _OLD = (
    f"concat({', '.join(f'{row}.{column}' for column in _COLUMNS)}) LIKE '%/media/u/%'" for row in ("new", "old")
)
_CHANGED = " OR ".join(f"old.{column} IS DISTINCT FROM new.{column}" for column in _COLUMNS)

TRIGGERS = (
    ("keep_uploads_of_new_post", "INSERT", _NEW),
    ("keep_uploads_of_changed_post", f"UPDATE OF {', '.join(_COLUMNS)}", f"({_CHANGED}) AND ({_OLD} OR {_NEW})"),
)


def upgrade() -> None:
    """Apply the change."""
    op.execute("""
        CREATE TABLE upload_uses (
          upload_id varchar COLLATE "C" NOT NULL REFERENCES uploads (id) ON DELETE CASCADE,
          post_id varchar COLLATE "C" NOT NULL REFERENCES posts (id) ON DELETE CASCADE,
          target_id varchar COLLATE "C" NOT NULL,
          PRIMARY KEY (upload_id, post_id, target_id)
        )
    """)
    op.execute("CREATE INDEX uses_of_post ON upload_uses (post_id, target_id)")
    for name in ("upload_tokens_v1", "keep_upload_uses_v1"):
        op.get_bind().exec_driver_sql(source(name))
    op.execute("REVOKE ALL ON FUNCTION keep_upload_uses_v1() FROM PUBLIC")
    for name, event, condition in TRIGGERS:
        op.execute(
            f"CREATE TRIGGER {name} AFTER {event} ON posts FOR EACH ROW"
            f" WHEN ({condition}) EXECUTE FUNCTION keep_upload_uses_v1()"
        )
