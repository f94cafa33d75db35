"""The lifetimes and the renewal of TikTok's tokens."""

from datetime import timedelta

from platforms.access.renewal import Reuse, TokenRules

TOKENS = TokenRules(
    lifetime=timedelta(hours=2),
    reuse=Reuse.REFUSED,
    lead=timedelta(minutes=10),
    refresh_lifetime=timedelta(days=180),
    renew_after=timedelta(days=30),
)
"""Source: developers.tiktok.com/doc/oauth-refresh-a-user-access-token; older pages say 24 hours and 365 days."""
