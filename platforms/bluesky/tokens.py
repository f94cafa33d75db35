"""The lifetimes and the renewal of Bluesky's tokens."""

from dataclasses import replace
from datetime import timedelta

from platforms.access.renewal import Reuse, TokenRules

TOKENS = TokenRules(
    lifetime=timedelta(hours=2),
    reuse=Reuse.REFUSED,
    grace=timedelta(hours=2),
    lead=timedelta(minutes=10),
    refresh_lifetime=timedelta(days=90),
    renew_after=timedelta(days=30),
)
"""Source: the reference server, packages/pds/src/account-manager. Other servers may differ; if so, the app password
opens a new session."""

OF_AUTHORIZATIONS = TokenRules(
    lifetime=timedelta(hours=1),
    reuse=Reuse.ENDS_GRANT,
    lead=timedelta(minutes=5),
    refresh_lifetime=timedelta(days=90),
    renew_after=timedelta(days=30),
)
"""Source: the reference server, packages/oauth/oauth-provider/src/constants.ts."""
OF_LOCAL_APPS = replace(OF_AUTHORIZATIONS, refresh_lifetime=timedelta(days=14), renew_after=timedelta(days=5))
"""For an app without a key: its authorizations end two weeks after they were given, however often they are renewed."""
