"""Campaigns, and what posts have of campaigns, series and queues."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from store.functions import source

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

KIND = "expand"


def upgrade() -> None:
    """Apply the change."""
    op.create_table(
        "campaigns",
        sa.Column("id", sa.String(collation="C"), nullable=False),
        sa.Column("workspace_id", sa.String(collation="C"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("starts_wall", sa.Text(), nullable=True),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ends_wall", sa.Text(), nullable=True),
        sa.Column("blackouts", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("resume_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resume_missed", sa.Text(), nullable=True),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("delivered_version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_delivery_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("campaigns_of_workspace", "campaigns", ["workspace_id", sa.text("id DESC")])
    behind = sa.text("delivered_version < version")
    op.create_index("campaigns_undelivered", "campaigns", ["id"], postgresql_where=behind)
    op.create_table(
        "operations",
        sa.Column("id", sa.String(collation="C"), nullable=False),
        sa.Column("workspace_id", sa.String(collation="C"), nullable=False),
        sa.Column("campaign_id", sa.String(collation="C"), nullable=True),
        sa.Column("series_id", sa.String(collation="C"), nullable=True),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("actor_type", sa.Text(), server_default=sa.text("'api_key'"), nullable=False),
        sa.Column("actor_id", sa.String(collation="C"), nullable=True),
        sa.Column("idempotency_key", sa.String(collation="C"), nullable=True),
        sa.Column("request_sha256", sa.LargeBinary(), nullable=True),
        sa.Column("result", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    keyed = sa.text("idempotency_key IS NOT NULL")
    op.create_index(
        "operations_by_key", "operations", ["workspace_id", "idempotency_key"], unique=True, postgresql_where=keyed
    )
    for name, column in ("operations_of_campaign", "campaign_id"), ("operations_of_series", "series_id"):
        op.create_index(name, "operations", [column, "id"], postgresql_where=sa.text(f"{column} IS NOT NULL"))
    op.create_index("operations_by_age", "operations", ["at"])
    op.execute(
        "CREATE TRIGGER check_actor BEFORE INSERT ON operations FOR EACH ROW"
        " WHEN (new.actor_type = 'api_key' AND NOT has_table_privilege('operations', 'UPDATE'))"
        " EXECUTE FUNCTION check_actor_v1()"
    )
    op.execute(
        'ALTER TABLE posts ADD COLUMN campaign_id text COLLATE "C", ADD COLUMN series_id text COLLATE "C",'
        ' ADD COLUMN occurrence text, ADD COLUMN queue_id text COLLATE "C"'
    )
    op.get_bind().exec_driver_sql(source("create_post_v2"))
