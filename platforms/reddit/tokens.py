"""How Reddit's tokens live."""

from datetime import timedelta

from platforms.renewal import Reuse, TokenRules

TOKENS = TokenRules(life=timedelta(days=1), reuse=Reuse.HARMLESS, lead=timedelta(minutes=15))
"""Refresh tokens have no end; general knowledge."""
