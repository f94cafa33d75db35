"""The lifetimes and the renewal of Instagram's tokens."""

from datetime import timedelta

from platforms.access.renewal import Reuse, TokenRules

TOKENS = TokenRules(
    lifetime=timedelta(days=60),
    reuse=Reuse.HARMLESS,
    renew_after=timedelta(days=30),
    renews_itself=True,
    first_renewal=timedelta(hours=25),
)
"""Source: the Instagram API's reference of refresh_access_token: a token must be 24 hours old and must not have ended.
That the old token stays valid until then is unverified."""
