"""How Bluesky's tokens live."""

from datetime import timedelta

from platforms.renewal import Reuse, TokenRules

TOKENS = TokenRules(
    life=timedelta(hours=2),
    reuse=Reuse.REFUSED,
    grace=timedelta(hours=2),
    lead=timedelta(minutes=10),
    refresh_life=timedelta(days=90),
    renew_after=timedelta(days=30),
)
"""Source: the reference server, packages/pds/src/account-manager. Other servers may differ; then the app password
opens a new session."""
