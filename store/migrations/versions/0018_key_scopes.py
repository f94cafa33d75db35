"""Scopes of API keys, and their issue by the holder of another key."""

from alembic import op

from store.functions import source

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

KIND = "expand"

FUNCTIONS = {
    "issue_key_v1": "text, text, bytea, text, text, text[], timestamptz, text, interval",
    "revoke_key_v1": "text, text",
}


def upgrade() -> None:
    """Apply the change."""
    op.execute("ALTER TABLE api_keys ADD COLUMN scopes text[] NOT NULL DEFAULT '{read,write,accounts,webhooks,keys}'")
    op.execute('ALTER TABLE api_keys ADD COLUMN replaced_by text COLLATE "C"')
    for name, signature in FUNCTIONS.items():
        op.get_bind().exec_driver_sql(source(name))
        op.execute(f"REVOKE ALL ON FUNCTION {name}({signature}) FROM PUBLIC")
