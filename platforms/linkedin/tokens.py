"""The lifetimes and the renewal of LinkedIn's tokens."""

from datetime import timedelta

from platforms.access.renewal import Reuse, TokenRules

TOKENS = TokenRules(lifetime=timedelta(days=60), reuse=Reuse.HARMLESS, lead=timedelta(days=10))
"""Source: learn.microsoft.com/linkedin/shared/authentication/programmatic-refresh-tokens. Only approved partners get
refresh tokens; these end 365 days after the member's consent, however often they are used."""
