"""Every table, function and trigger of the first release."""

from alembic import op

from store.functions import source

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

KIND = "expand"

FUNCTIONS = (
    "acquire_slots_v1",
    "begin_send_v1",
    "bulk_delivery_at_v1",
    "check_actor_v1",
    "check_attempt_v1",
    "check_author_v1",
    "check_server_v1",
    "close_gate_v1",
    "create_post_v1",
    "decide_send_v1",
    "delete_past_posts_v1",
    "emit_account_change_v1",
    "emit_account_event_v1",
    "emit_campaign_event_v1",
    "emit_completed_campaign_v1",
    "emit_disabled_webhook_v1",
    "emit_ends_v1",
    "emit_late_post_v1",
    "emit_post_events_v1",
    "emit_target_events_v1",
    "emit_v1",
    "event_time_v1",
    "hold_uploads_of_series_v1",
    "issue_key_v1",
    "keep_history_v1",
    "keep_post_tags_v1",
    "keep_upload_uses_v1",
    "leave_queue_v1",
    "make_deliveries_v1",
    "note_deleted_post_v1",
    "oldest_transaction_v1",
    "open_gate_v1",
    "plan_gate_v1",
    "refresh_post_v1",
    "revoke_key_v1",
    "rotate_webhook_v1",
    "server_identity_v1",
    "server_position_v1",
    "settle_target_v1",
    "take_key_v1",
    "take_leases_v1",
    "test_webhook_v1",
    "untrusted_timeline_v1",
    "upload_tokens_v1",
    "wants_event_v1",
)
_ROWS = (
    "INSERT INTO bulk_turn (at) VALUES (now())",
    "INSERT INTO delivery_progress (low) VALUES (pg_snapshot_xmin(pg_current_snapshot()))",
    "INSERT INTO installation (id) VALUES (gen_random_uuid()::text)",
    "INSERT INTO trusted_server (identity, timeline) SELECT server_identity_v1(), timeline FROM server_position_v1()",
)


def upgrade() -> None:
    """Apply the change."""
    execute = op.get_bind().exec_driver_sql
    # Functions name tables that are created after them, and columns' defaults call functions.
    execute("SET LOCAL check_function_bodies = off")
    for name in FUNCTIONS:
        execute(source(name))
    for script in ("tables_v1", "triggers_v1"):
        for statement in source(script).split(";\n"):
            if statement.strip():
                execute(statement)
    for name in FUNCTIONS:
        if "SECURITY DEFINER" in source(name):
            # It runs with its owner's rights: only roles that `store/roles.py` names may call it.
            execute(f"REVOKE ALL ON FUNCTION {name} FROM PUBLIC")
    for row in _ROWS:
        execute(row)
