"""The lifetimes and the renewal of X's tokens."""

from datetime import timedelta

from platforms.access.renewal import Reuse, TokenRules

TOKENS = TokenRules(
    lifetime=timedelta(hours=2),
    reuse=Reuse.ENDS_GRANT,
    lead=timedelta(minutes=10),
    refresh_lifetime=timedelta(days=180),
    renew_after=timedelta(days=30),
)
"""X: 2 hours by its documentation. That a second use ends the grant, and that a refresh token is valid for six months,
was seen by others."""
