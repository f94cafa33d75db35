"""The lifetimes and the renewal of Pinterest's tokens."""

from datetime import timedelta

from platforms.access.renewal import Reuse, TokenRules

TOKENS = TokenRules(
    lifetime=timedelta(days=30),
    reuse=Reuse.REFUSED,
    lead=timedelta(days=5),
    refresh_lifetime=timedelta(days=60),
    renew_after=timedelta(days=15),
)
"""Source: Pinterest's API document; what a second use of a refresh token does is unverified."""
