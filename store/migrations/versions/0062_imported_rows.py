"""The last row that was imported under each externalId, and what undoes an import."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from store.functions import source

revision = "0062"
down_revision = "0061"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    document = postgresql.JSONB(astext_type=sa.Text())
    op.create_table(
        "imported_rows",
        sa.Column("workspace_id", sa.String(collation="C"), nullable=False),
        sa.Column("external_id", sa.String(collation="C"), nullable=False),
        sa.Column("post_id", sa.String(collation="C"), nullable=False),
        sa.Column("row_cells", document, nullable=False),
        sa.Column("post_cells", document, nullable=False),
        sa.Column("deleted_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("workspace_id", "external_id"),
    )
    is_deleted = sa.text("deleted_at IS NOT NULL")
    op.create_index("imported_rows_deleted", "imported_rows", ["deleted_at"], postgresql_where=is_deleted)
    op.create_table(
        "imported_posts",
        sa.Column("import_id", sa.String(collation="C"), nullable=False),
        sa.Column("post_id", sa.String(collation="C"), nullable=False),
        sa.Column("written", document, nullable=False),
        sa.Column("before", document, nullable=True),
        sa.ForeignKeyConstraint(["import_id"], ["imports.id"], ondelete="CASCADE"),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("import_id", "post_id"),
    )
    op.create_index("imports_of_post", "imported_posts", ["post_id"])
    op.get_bind().exec_driver_sql(source("note_deleted_post_v1"))
    op.execute("REVOKE ALL ON FUNCTION note_deleted_post_v1() FROM PUBLIC")
    op.execute(
        "CREATE TRIGGER note_deleted_post AFTER DELETE ON posts FOR EACH ROW"
        " WHEN (old.external_id IS NOT NULL) EXECUTE FUNCTION note_deleted_post_v1()"
    )
