"""The facts about accounts and the times of their tokens, from rows and their platforms' rules, without secrets."""

import random
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from domain.account_health import TokenFacts
from platforms.access.connector import connectors
from platforms.access.consent import OAuthConnector
from platforms.access.renewal import Lifetimes, Renews, TokenRules
from platforms.base import AccountFacts, AnyPlatform
from platforms.registry import platforms
from store.accounts.connected import AppKey
from store.accounts.renewals import Tokens
from store.models import Account, ConnectedAccount

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


AnyAccount = Account | ConnectedAccount
LOST = "lost_in_renewal"
"""The code of a refused account whose new tokens never arrived."""


def account_facts(account: AnyAccount) -> AccountFacts:
    """Return the facts of a row that a platform's rules and requests need."""
    return AccountFacts(account.id, account.user_id, account.username, account.premium, account.limits, account.allowed)


def token_facts(account: AnyAccount, refused_apps: Mapping[AppKey, str], now: datetime) -> TokenFacts:
    """Return the facts about an account's tokens."""
    missing, declined = lacking(account)
    inspection: Mapping[str, Any] = account.inspection or {}
    unanswered = inspection.get("unanswered") if _is_newest(account) else None
    return TokenFacts(
        label=platforms()[account.platform].label,
        expires_at=account.expires_at,
        connection_ends_at=connection_end(account, now),
        refused_at=account.refused_at,
        refusal=account.refusal,
        access_refused=account.access_refused_at is not None,
        renewal_refused=is_refused_renewal(account),
        renewal_interrupted=_is_interrupted(account, now),
        renewal_lost=LOST in {account.refusal_code, account.renewal_error if is_refused_renewal(account) else None},
        renewal_failures=account.renewal_failures,
        renewed_at=account.renewed_at or account.connected_at,
        app_refusal=refused_apps.get((account.platform, account.app_id)),
        missing=tuple(dict.fromkeys([*missing, *inspection.get("missing", ())])),
        declined=tuple(declined),
        notes=(*inspection.get("notes", ()), *([unanswered] if unanswered else [])),
    )


def _is_newest(account: AnyAccount) -> bool:
    """Return whether nothing newer than the last check is known of an account."""
    asked, proven = account.inspected_at, account.last_ok_at
    return asked is not None and (proven is None or proven < asked)


def lacking(account: AnyAccount) -> tuple[list[str], list[str]]:
    """Return the permissions that are missing to publish, and those for other things; none if they are not known."""
    connector = connectors().get(account.platform)
    if not isinstance(connector, OAuthConnector) or account.scopes is None:
        return [], []
    return connector.lacking_scopes(account.scopes)


def connection_end(account: AnyAccount, now: datetime) -> datetime | None:
    """Return when an account's connection ends if its owner does nothing; None if it is renewed before."""
    if is_refused_renewal(account):
        return account.expires_at
    rules, ends, renewed = token_rules(platforms()[account.platform]), account.refresh_expires_at, account.renew_at
    if rules is None or rules.renew_after is None or renewed is None or ends is None:
        return ends
    return None if now < ends and renewed < ends else ends


def is_refused_renewal(account: AnyAccount) -> bool:
    """Return whether the last renewal was refused for good: after all other failures it has a time for the next try."""
    return account.renewal_failures > 0 and account.renew_at is None


def _is_interrupted(account: AnyAccount, now: datetime) -> bool:
    """Return whether the platform may have issued tokens that never arrived, and accepts no second request for them."""
    if account.renewal_started_at is None or not may_rotate(platforms()[account.platform]):
        return False
    return account.renewing_until is None or account.renewing_until <= now
