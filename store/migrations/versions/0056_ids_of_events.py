"""Ids of events that no system call makes, and a trigger of events that never fires, switched off."""

from alembic import op

revision = "0056"
down_revision = "0055"
branch_labels = None
depends_on = None

KIND = "expand"

# The time in milliseconds and 4,096ths of them, as in a UUIDv7, in 15 hexadecimal digits; then 17 random ones. uuidv7() asks the
# system for random bits, which takes a PostgreSQL without OpenSSL longer than the rest of the row.
ID = (
    "'evt_0' || to_hex((date_part('epoch', clock_timestamp()) * 4096000)::bigint)"
    " || to_hex(((random() + 1) * 549755813888)::bigint) || to_hex(((random() + 1) * 134217728)::bigint)"
)


def upgrade() -> None:
    """Apply the change."""
    op.execute(f"ALTER TABLE events ALTER COLUMN id SET DEFAULT {ID}")
    # Its condition is false, and PostgreSQL reads it again for each event.
    op.execute("ALTER TABLE events DISABLE TRIGGER make_deliveries")
