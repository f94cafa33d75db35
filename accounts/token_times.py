"""The times at which an account's tokens are renewed, by its platform's rules and the platform's responses."""

import random
from datetime import datetime, timedelta
from typing import Any

from platforms.access.renewal import Lifetimes, Renews, TokenRules
from platforms.base import AnyPlatform
from store.accounts.renewals import Tokens
from store.models import Account

_FIRST_PAUSE, _GROWTH = timedelta(seconds=2), 4
_LONG_PAUSE, _LONGEST_PAUSE = timedelta(minutes=15), timedelta(hours=1)
_MANY = 12
_SPREAD = 0.1
"""Times are moved by up to a tenth either way, so that accounts that were connected together are not due together."""


def token_rules(platform: AnyPlatform) -> TokenRules | None:
    """Return the rules of a platform's tokens, None if its credentials do not expire."""
    return platform.tokens if isinstance(platform, Renews) else None


def token_rules_for(platform: AnyPlatform, credentials: Any) -> TokenRules | None:
    """Return the rules of the tokens in these credentials; platforms may issue several kinds."""
    return platform.rules_for(credentials) if isinstance(platform, Renews) else None


def may_rotate(platform: AnyPlatform) -> bool:
    """Return whether a platform issues refresh tokens that work once."""
    return isinstance(platform, Renews) and any(rules.rotates for rules in (platform.tokens, *platform.other_tokens))


def at_connecting(platform: AnyPlatform, credentials: Any, reported: Lifetimes | None, now: datetime) -> Tokens:
    """Return the facts about an account's tokens when it is connected with them.

    `reported` is what the platform has just said of them; without it their age is not known.
    """
    if reported is not None:
        return at_renewal(platform, credentials, reported, None, now)
    rules = token_rules_for(platform, credentials)
    if rules is None or not platform_can_renew(platform, credentials):
        return Tokens(None, None, None, None)
    after = rules.first_renewal or rules.renew_after
    return Tokens(None, None, None, now + _spread(after) if after else None)


def at_renewal(
    platform: AnyPlatform, credentials: Any, reported: Lifetimes, before: datetime | None, now: datetime
) -> Tokens:
    """Return the facts about tokens in a new response; what the response leaves out is taken from the rules.

    `before` is the end of the old refresh token, which still holds if that token stays.
    """
    rules = token_rules_for(platform, credentials)
    if rules is None:
        return Tokens(reported.expires_at, reported.expires_at, _list(reported.scopes), None)
    expires_at = reported.expires_at or now + rules.lifetime
    if not platform_can_renew(platform, credentials) or rules.renews_itself:
        ends: datetime | None = expires_at
    else:
        assumed = now + rules.refresh_lifetime if rules.refresh_lifetime else None
        ends = reported.refresh_expires_at or assumed or before
    renews = rules.renew_after if platform_can_renew(platform, credentials) else None
    if renews and rules.renews_itself:
        renews = min(renews, (expires_at - now) / 2)
    return Tokens(expires_at, ends, _list(reported.scopes), now + _spread(renews) if renews else None)


def platform_can_renew(platform: AnyPlatform, credentials: Any) -> bool:
    """Return whether credentials hold all that renewing them needs."""
    return isinstance(platform, Renews) and platform.can_renew(credentials)


def is_due(rules: TokenRules | None, account: Account, now: datetime) -> bool:
    """Return whether an account's token is to be renewed before it is used.

    It is not if the last renewal's outcome is unknown and a second use of the refresh token could end a token that is
    still valid. Nor is it shortly after a renewal has failed.
    """
    if rules is None or account.expires_at is None:
        return False
    if account.renewal_started_at is not None and rules.rotates:
        return False
    if account.renewal_failures and account.renew_at is not None and account.renew_at > now:
        return False
    lifetime = account.expires_at - (account.renewed_at or account.connected_at)
    return account.expires_at - min(rules.lead, lifetime / 2) <= now


def pause_after(failures: int) -> timedelta:
    """Return the wait after so many failures in a row: 2 s, 8 s, 32 s … 15 minutes, finally an hour."""
    if failures >= _MANY:
        return _spread(_LONGEST_PAUSE)
    return _spread(min(_FIRST_PAUSE * _GROWTH ** min(max(failures, 1) - 1, 10), _LONG_PAUSE))


def _spread(time: timedelta) -> timedelta:
    return time * random.uniform(1 - _SPREAD, 1 + _SPREAD)  # noqa: S311 no secret


def _list(scopes: tuple[str, ...] | None) -> list[str] | None:
    return None if scopes is None else list(scopes)
