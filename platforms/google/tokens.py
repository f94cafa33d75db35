"""The lifetimes and the renewal of Google's tokens."""

from datetime import timedelta

from platforms.access.renewal import Reuse, TokenRules

TOKENS = TokenRules(
    lifetime=timedelta(hours=1), reuse=Reuse.HARMLESS, lead=timedelta(minutes=5), renew_after=timedelta(days=30)
)
"""Source: developers.google.com/identity/protocols/oauth2. A refresh token ends if it is not used for six months."""
