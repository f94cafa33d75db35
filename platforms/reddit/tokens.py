"""The lifetimes and the renewal of Reddit's tokens."""

from datetime import timedelta

from platforms.access.renewal import Reuse, TokenRules

TOKENS = TokenRules(lifetime=timedelta(days=1), reuse=Reuse.HARMLESS, lead=timedelta(minutes=15))
"""Refresh tokens do not expire; general knowledge."""
