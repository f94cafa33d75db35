"""The lifetimes and the renewal of Threads' tokens."""

from datetime import timedelta

from platforms.access.renewal import Reuse, TokenRules

TOKENS = TokenRules(
    lifetime=timedelta(days=60),
    reuse=Reuse.HARMLESS,
    renew_after=timedelta(days=30),
    renews_itself=True,
    first_renewal=timedelta(hours=25),
)
"""Source: the Threads API's guide to long-lived tokens: a token must be 24 hours old and must not have ended. That the
old token stays valid until then is unverified."""
