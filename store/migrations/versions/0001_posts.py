"""Posts, their targets and related tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from store.functions import source

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KIND = "expand"


FUNCTIONS = (
    "decide_send_v1",
    "refresh_post_v1",
    "settle_target_v1",
    "begin_send_v1",
    "take_key_v1",
    "create_post_v1",
    "acquire_slots_v1",
    "check_actor_v1",
    "check_author_v1",
    "check_attempt_v1",
    "keep_history_v1",
)
_CHECKS = (
    ("audit_events", "check_actor", "new.actor_type = 'api_key'"),
    ("account_events", "check_actor", "new.actor_type = 'api_key'"),
    ("posts", "check_author", "true"),
    ("attempts", "check_attempt", "new.step NOT IN ('resolve', 'correct')"),
)
"""Checks of new rows: the table, the function and its rows.

Rows of a role that may update the whole table are not checked. That is the owner, as which the operators' commands act and
the function that keeps a history; of attempts it is the worker, too.
"""


def upgrade() -> None:
    """Apply the change."""
    create_tables()
    for name in FUNCTIONS:
        op.get_bind().exec_driver_sql(source(name))
    for table, function, rows in _CHECKS:
        op.execute(
            f"CREATE TRIGGER {function} BEFORE INSERT ON {table} FOR EACH ROW"
            f" WHEN ({rows} AND NOT has_table_privilege('public.{table}', 'UPDATE')) EXECUTE FUNCTION {function}_v1()"
        )
    op.execute("CREATE TRIGGER keep_history BEFORE DELETE ON posts FOR EACH ROW EXECUTE FUNCTION keep_history_v1()")


def create_tables() -> None:  # noqa: PLR0915 one migration until the first release
    """Create the tables and their indexes."""
    op.create_table(
        "schema_states",
        sa.Column("revision", sa.String(collation="C"), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("unused_since", sa.String(collation="C"), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("shape", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("applied_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("revision"),
    )
    op.create_table(
        "workspaces",
        sa.Column("id", sa.String(collation="C"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("name"),
    )
    _create_accounts()
    op.create_table(
        "api_keys",
        sa.Column("sha256", sa.LargeBinary(), nullable=False),
        sa.Column("id", sa.String(collation="C"), nullable=False),
        sa.Column("prefix", sa.Text(), nullable=False),
        sa.Column("workspace_id", sa.String(collation="C"), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("sha256"),
        sa.UniqueConstraint("id"),
    )
    op.create_index(op.f("ix_api_keys_workspace_id"), "api_keys", ["workspace_id"], unique=False)
    op.create_table(
        "idempotency_keys",
        sa.Column("workspace_id", sa.String(collation="C"), nullable=False),
        sa.Column("key", sa.String(collation="C"), nullable=False),
        sa.Column("generation", sa.Integer(), nullable=False),
        sa.Column("request_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("post_id", sa.String(collation="C"), nullable=False),
        sa.Column("revision_id", sa.String(collation="C"), nullable=True),
        sa.Column("post_ids", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("response_status", sa.Integer(), nullable=True),
        sa.Column("response_body", sa.LargeBinary(), nullable=True),
        sa.Column(
            "check_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("now() + interval '24 hours'"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("workspace_id", "key"),
    )
    op.create_index(op.f("ix_idempotency_keys_check_at"), "idempotency_keys", ["check_at"], unique=False)
    op.create_table(
        "app_refusals",
        sa.Column("platform", sa.String(collation="C"), nullable=False),
        sa.Column("app_id", sa.String(collation="C"), nullable=False),
        sa.Column("code", sa.String(collation="C"), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_refused_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("probe_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("probed_with", sa.String(collation="C"), nullable=True),
        sa.PrimaryKeyConstraint("platform", "app_id", "code"),
    )
    op.create_table(
        "app_setups",
        sa.Column("only", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("platforms", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("platforms_by_workspace", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("documents", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("key_ids", postgresql.ARRAY(sa.Text()), server_default=sa.text("'{}'"), nullable=False),
        sa.Column("announced_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("only"),
    )
    op.create_table(
        "pending_connections",
        sa.Column("id", sa.String(collation="C"), nullable=False),
        sa.Column("workspace_id", sa.String(collation="C"), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("state_hash", sa.LargeBinary(), nullable=True),
        sa.Column("redirect_url", sa.Text(), nullable=True),
        sa.Column("selection_by", sa.Text(), nullable=True),
        sa.Column("return_url", sa.Text(), nullable=True),
        sa.Column("browser_hash", sa.LargeBinary(), nullable=True),
        sa.Column("account_id", sa.Text(), nullable=True),
        sa.Column("begun_by", sa.String(collation="C"), nullable=True),
        sa.Column("options", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("posted_in", sa.Text(), nullable=True),
        sa.Column("public_key", sa.LargeBinary(), nullable=True),
        sa.Column("sealed", sa.LargeBinary(), nullable=True),
        sa.Column("authorize_url", sa.Text(), nullable=True),
        sa.Column("handover", sa.LargeBinary(), nullable=True),
        sa.Column("handover_hash", sa.LargeBinary(), nullable=True),
        sa.Column("consumed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("exchanged_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("outcome", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("selected_ids", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("selection_result", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("state_hash"),
    )
    op.create_index("pending_connections_by_workspace", "pending_connections", ["workspace_id", "created_at"])
    op.create_index(op.f("ix_pending_connections_expires_at"), "pending_connections", ["expires_at"], unique=False)
    op.create_table(
        "pending_revocations",
        sa.Column("id", sa.String(collation="C"), nullable=False),
        sa.Column("workspace_id", sa.String(collation="C"), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("account_id", sa.String(collation="C"), nullable=True),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("credentials", sa.LargeBinary(), nullable=False),
        sa.Column("user_ids", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("app_id", sa.Text(), nullable=False),
        sa.Column("grant_subject", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("given_up_after", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("pending_revocations_of_account", "pending_revocations", ["workspace_id", "account_id"])
    op.create_index(op.f("ix_pending_revocations_next_at"), "pending_revocations", ["next_at"], unique=False)
    op.create_table(
        "restores",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("restored_to", sa.DateTime(timezone=True), nullable=False),
        sa.Column("database", sa.Boolean(), nullable=False),
        sa.Column("temporal", sa.Boolean(), nullable=False),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_post_id", sa.String(collation="C"), server_default=sa.text("''"), nullable=False),
        sa.Column("to_confirm", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_table(
        "media_files",
        sa.Column("token", sa.String(collation="C"), nullable=False),
        sa.Column("workspace_id", sa.String(collation="C"), nullable=False),
        sa.Column("content_type", sa.Text(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("token"),
    )
    # Files are read in pieces. Compressed values could only be read whole, and pictures do not get smaller.
    op.execute("ALTER TABLE media_files ALTER COLUMN content SET STORAGE EXTERNAL")
    op.create_index(op.f("ix_media_files_expires_at"), "media_files", ["expires_at"], unique=False)
    op.create_index(op.f("ix_media_files_workspace_id"), "media_files", ["workspace_id"], unique=False)
    op.create_table(
        "media_checks",
        sa.Column("id", sa.String(collation="C"), nullable=False),
        sa.Column("workspace_id", sa.String(collation="C"), nullable=False),
        sa.Column("content", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("findings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_media_checks_expires_at"), "media_checks", ["expires_at"], unique=False)
    op.create_index(op.f("ix_media_checks_workspace_id"), "media_checks", ["workspace_id"], unique=False)
    op.create_table(
        "choice_lists",
        sa.Column("id", sa.String(collation="C"), nullable=False),
        sa.Column("workspace_id", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C"), nullable=False),
        sa.Column("setting", sa.Text(), nullable=False),
        sa.Column("within", sa.Text(), nullable=False),
        sa.Column(
            "result", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("asked_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_choice_lists_asked_at"), "choice_lists", ["asked_at"], unique=False)
    op.create_index("choice_lists_of_workspace", "choice_lists", ["workspace_id", "asked_at"], unique=False)
    op.create_table(
        "posts",
        sa.Column("id", sa.String(collation="C"), nullable=False),
        sa.Column("workspace_id", sa.String(collation="C"), nullable=False),
        sa.Column("workflow_id", sa.String(collation="C"), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("media_items", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("tags", postgresql.ARRAY(sa.Text()), nullable=False),
        sa.Column("timezone", sa.Text(), nullable=False),
        sa.Column("scheduled_for", sa.DateTime(timezone=True), nullable=True),
        sa.Column("scheduled_wall", sa.Text(), nullable=True),
        sa.Column("planned_for", sa.DateTime(timezone=True), nullable=True),
        sa.Column("external_id", sa.String(collation="C"), nullable=True),
        sa.Column("external_digest", sa.Text(), nullable=True),
        sa.Column("tiktok_settings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("facebook_settings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("answer_bytes", sa.Integer(), nullable=False),
        sa.Column("publish_within", sa.Integer(), server_default=sa.text("86400"), nullable=False),
        sa.Column("version", sa.Integer(), server_default=sa.text("1"), nullable=False),
        sa.Column("delivered_version", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("next_delivery_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("delivery_attempts", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("created_by", sa.String(collation="C"), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
        sa.UniqueConstraint("workflow_id"),
    )
    op.create_index(
        "posts_by_external_id",
        "posts",
        ["workspace_id", "external_id"],
        unique=True,
        postgresql_where=sa.text("external_id IS NOT NULL"),
    )
    op.create_index(
        "posts_list",
        "posts",
        ["workspace_id", sa.literal_column("id DESC")],
        unique=False,
        postgresql_include=["answer_bytes", "scheduled_for", "updated_at"],
    )
    op.create_index(
        "posts_list_by_status",
        "posts",
        ["workspace_id", "status", sa.literal_column("id DESC")],
        unique=False,
        postgresql_include=["scheduled_for", "updated_at"],
    )
    op.create_index(
        "posts_list_by_schedule",
        "posts",
        ["workspace_id", "status", "scheduled_for", "id"],
        unique=False,
        postgresql_include=["updated_at"],
        postgresql_where=sa.text("scheduled_for IS NOT NULL"),
    )
    op.create_index(
        "posts_list_by_change",
        "posts",
        ["workspace_id", "status", "updated_at", "id"],
        unique=False,
        postgresql_include=["scheduled_for"],
    )
    op.create_index(
        "posts_open",
        "posts",
        ["due_at", "id"],
        unique=False,
        postgresql_where=sa.text("status IN ('scheduled', 'publishing')"),
    )
    op.create_index(
        "posts_undelivered",
        "posts",
        [sa.text("(status IN ('scheduled', 'publishing')) DESC"), "due_at", "id"],
        unique=False,
        postgresql_where=sa.text(
            "delivered_version < version AND (status IN ('scheduled', 'publishing') OR next_delivery_at IS NOT NULL)"
        ),
    )
    op.create_index(
        "posts_wall_times",
        "posts",
        ["scheduled_for", "id"],
        unique=False,
        postgresql_where=sa.text("scheduled_wall IS NOT NULL AND status IN ('draft', 'scheduled')"),
    )
    op.create_table(
        "post_tags",
        sa.Column("workspace_id", sa.String(collation="C"), nullable=False),
        sa.Column("tag", sa.String(collation="C"), nullable=False),
        sa.Column("post_id", sa.String(collation="C"), nullable=False),
        sa.PrimaryKeyConstraint("workspace_id", "tag", "post_id"),
    )
    # The trigger's function writes as its owner, so that neither part needs a right to the table.
    op.execute("""
        CREATE FUNCTION keep_post_tags() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
        SET search_path = public, pg_temp AS $$
        BEGIN
          IF TG_OP <> 'INSERT' THEN
            DELETE FROM post_tags WHERE workspace_id = old.workspace_id AND tag = ANY (old.tags) AND post_id = old.id;
          END IF;
          IF TG_OP <> 'DELETE' THEN
            INSERT INTO post_tags SELECT DISTINCT new.workspace_id, tag, new.id FROM unnest(new.tags) AS tag;
          END IF;
          RETURN NULL;
        END $$
    """)
    for event, condition in (
        ("INSERT", "cardinality(new.tags) > 0"),
        ("UPDATE OF tags", "old.tags <> new.tags"),
        ("DELETE", "cardinality(old.tags) > 0"),
    ):
        op.execute(
            f"CREATE TRIGGER keep_tags_on_{event.split()[0].lower()} AFTER {event} ON posts FOR EACH ROW "
            f"WHEN ({condition}) EXECUTE FUNCTION keep_post_tags()"
        )
    op.create_table(
        "zone_checks",
        sa.Column("only", sa.Boolean(), server_default=sa.text("true"), nullable=False),
        sa.Column("newest_version", sa.String(collation="C"), nullable=False),
        sa.Column("digest", sa.Text(), nullable=True),
        sa.Column("checked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("only"),
    )
    op.create_table(
        "account_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("workspace_id", sa.String(collation="C"), nullable=False),
        sa.Column("platform", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C"), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("actor_type", sa.Text(), nullable=False),
        sa.Column("actor_id", sa.String(collation="C"), nullable=True),
        sa.Column(
            "details", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("account_events_of_account", "account_events", ["workspace_id", "account_id", "id"], unique=False)
    op.create_table(
        "revisions",
        sa.Column("id", sa.String(collation="C"), nullable=False),
        sa.Column("post_id", sa.String(collation="C"), nullable=False),
        sa.Column("body", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("param", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(op.f("ix_revisions_post_id"), "revisions", ["post_id"], unique=False)
    op.create_table(
        "targets",
        sa.Column("id", sa.String(collation="C"), nullable=False),
        sa.Column("post_id", sa.String(collation="C"), nullable=False),
        sa.Column("workspace_id", sa.String(collation="C"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("platform", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C"), nullable=False),
        sa.Column("custom_content", sa.Text(), nullable=True),
        sa.Column("custom_media", postgresql.JSONB(none_as_null=True, astext_type=sa.Text()), nullable=True),
        sa.Column("settings", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("begun_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirming", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("edited_content", sa.Text(), nullable=True),
        sa.Column(
            "handles", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.Column("platform_post_id", sa.Text(), nullable=True),
        sa.Column("platform_post_url", sa.Text(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("editable_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("warning", sa.Text(), nullable=True),
        sa.Column(
            "media_changes",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "edit_history",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'[]'::jsonb"),
            nullable=False,
        ),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("error_code", sa.Text(), nullable=True),
        sa.Column("error_category", sa.Text(), nullable=True),
        sa.Column("retryable", sa.Boolean(), nullable=True),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hold_reason", sa.Text(), nullable=True),
        sa.Column("preflight_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("preflight_code", sa.Text(), nullable=True),
        sa.Column("released_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "targets_list_by_status",
        "targets",
        ["workspace_id", "status", "post_id"],
        unique=False,
        postgresql_where=sa.text("status IN ('held', 'unconfirmed')"),
    )
    op.create_index(
        "targets_public",
        "targets",
        ["platform_post_id"],
        unique=False,
        postgresql_where=sa.text("platform_post_id IS NOT NULL"),
    )
    op.create_index(
        "targets_held",
        "targets",
        ["workspace_id", "account_id"],
        unique=False,
        postgresql_where=sa.text("status = 'held'"),
    )
    op.create_index(
        "targets_list_by_account",
        "targets",
        ["workspace_id", "account_id", sa.literal_column("post_id DESC")],
        unique=False,
    )
    op.create_index(
        "targets_list_by_platform",
        "targets",
        ["workspace_id", "platform", sa.literal_column("post_id DESC")],
        unique=False,
    )
    op.create_index("targets_of_post", "targets", ["post_id", "position"], unique=False)
    op.create_index(
        "targets_waiting",
        "targets",
        ["platform"],
        unique=False,
        postgresql_where=sa.text(
            "status IN ('held', 'unconfirmed') OR (status = 'publishing' AND next_attempt_at IS NOT NULL)"
        ),
    )
    op.create_index(
        "targets_to_preflight",
        "targets",
        ["workspace_id", "preflight_at", "due_at"],
        unique=False,
        postgresql_where=sa.text("status = 'pending' AND begun_at IS NULL"),
    )
    op.create_index(
        "targets_not_begun",
        "targets",
        ["due_at"],
        unique=False,
        postgresql_where=sa.text("status = 'pending' AND begun_at IS NULL"),
    )
    op.create_table(
        "late_posts",
        sa.Column("post_id", sa.String(collation="C"), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(["post_id"], ["posts.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("post_id", "due_at"),
    )
    op.create_index(
        "late_posts_open", "late_posts", ["post_id"], unique=False, postgresql_where=sa.text("ended_at IS NULL")
    )
    op.create_index(
        "late_posts_ended", "late_posts", ["ended_at"], unique=False, postgresql_where=sa.text("ended_at IS NOT NULL")
    )
    op.create_table(
        "attempts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("target_id", sa.String(collation="C"), nullable=False),
        sa.Column("step", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("code", sa.Text(), nullable=True),
        sa.Column("request_id", sa.Text(), nullable=True),
        sa.Column("decision", sa.Text(), nullable=True),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("request_sent", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column("claim", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.ForeignKeyConstraint(["target_id"], ["targets.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("attempts_of_target", "attempts", ["target_id", "id"], unique=False)
    op.create_table(
        "audit_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False),
        sa.Column("workspace_id", sa.String(collation="C"), nullable=False),
        sa.Column("post_id", sa.String(collation="C"), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("actor_type", sa.Text(), server_default=sa.text("'api_key'"), nullable=False),
        sa.Column("actor_id", sa.String(collation="C"), nullable=True),
        sa.Column("platform", sa.String(collation="C"), nullable=True),
        sa.Column("account_id", sa.String(collation="C"), nullable=True),
        sa.Column(
            "details", postgresql.JSONB(astext_type=sa.Text()), server_default=sa.text("'{}'::jsonb"), nullable=False
        ),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("audit_events_of_post", "audit_events", ["post_id", "at", "id"], unique=False)
    op.create_index(
        "audit_events_deletions",
        "audit_events",
        ["workspace_id", "id"],
        unique=False,
        postgresql_where=sa.text("action = 'deleted'"),
    )
    op.create_table(
        "rate_limit_buckets",
        sa.Column("platform", sa.String(collation="C"), nullable=False),
        sa.Column("server", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C"), nullable=False),
        sa.Column("step", sa.String(collation="C"), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reported_remaining", sa.Integer(), nullable=True),
        sa.Column("reported_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reported_limit", sa.Integer(), nullable=True),
        sa.Column("query_lease_until", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("platform", "server", "account_id", "step"),
    )
    op.create_table(
        "rate_limit_slots",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("platform", sa.String(collation="C"), nullable=False),
        sa.Column("server", sa.String(collation="C"), nullable=False),
        sa.Column("account_id", sa.String(collation="C"), nullable=False),
        sa.Column("step", sa.String(collation="C"), nullable=False),
        sa.Column("target_id", sa.String(collation="C"), nullable=False),
        sa.Column("last_attempt_id", sa.BigInteger(), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("taken", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index(
        "rate_limit_slots_of_account",
        "rate_limit_slots",
        ["platform", "server", "account_id", "step", "at"],
        unique=False,
    )
    op.create_index(
        "rate_limit_slots_of_target", "rate_limit_slots", ["target_id", "step", "last_attempt_id"], unique=True
    )


def _create_accounts() -> None:
    op.create_table(
        "accounts",
        sa.Column("workspace_id", sa.String(collation="C"), nullable=False),
        sa.Column("id", sa.String(collation="C"), nullable=False),
        sa.Column("platform", sa.Text(), nullable=False),
        sa.Column("user_id", sa.Text(), nullable=False),
        sa.Column("username", sa.Text(), nullable=False),
        sa.Column("app_id", sa.Text(), server_default=sa.text("''"), nullable=False),
        sa.Column("premium", sa.Boolean(), server_default=sa.text("false"), nullable=False),
        sa.Column(
            "limits",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column(
            "allowed",
            postgresql.JSONB(astext_type=sa.Text()),
            server_default=sa.text("'{}'::jsonb"),
            nullable=False,
        ),
        sa.Column("credentials", sa.LargeBinary(), nullable=False),
        sa.Column("connected_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.Column("refused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refusal", sa.Text(), nullable=True),
        sa.Column("refusal_code", sa.Text(), nullable=True),
        sa.Column("refusal_count", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("recheck_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("refresh_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("scopes", postgresql.ARRAY(sa.Text()), nullable=True),
        sa.Column("grant_subject", sa.Text(), nullable=True),
        sa.Column("renew_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("renewed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("renewing_until", sa.DateTime(timezone=True), nullable=True),
        sa.Column("renewal_started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("renewal_failures", sa.Integer(), server_default=sa.text("0"), nullable=False),
        sa.Column("renewal_error", sa.Text(), nullable=True),
        sa.Column("access_refused_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_ok_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("inspected_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("inspection", postgresql.JSONB(astext_type=sa.Text()), nullable=True),
        sa.Column("removal_requested_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("removal_requested_by", sa.String(collation="C"), nullable=True),
        sa.Column("removal_revokes", sa.Boolean(), nullable=True),
        sa.ForeignKeyConstraint(["workspace_id"], ["workspaces.id"], ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("workspace_id", "id"),
    )
    op.create_index("accounts_of_person", "accounts", ["platform", "user_id"], unique=False)
    op.create_index("accounts_of_app", "accounts", ["app_id"], unique=False, postgresql_where=sa.text("app_id <> ''"))
    op.create_index(
        "accounts_to_renew",
        "accounts",
        ["renew_at"],
        unique=False,
        postgresql_where=sa.text("renew_at IS NOT NULL"),
    )
    op.create_index(
        "accounts_expiring",
        "accounts",
        ["refresh_expires_at", "platform"],
        unique=False,
        postgresql_where=sa.text("refused_at IS NULL"),
    )
