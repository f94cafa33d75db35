"""The facts about an account, from its row and its platform's rules, without secrets."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from accounts.token_times import may_rotate, token_rules
from domain.account_health import TokenFacts
from platforms.access.connector import connectors
from platforms.access.consent import OAuthConnector
from platforms.base import AccountFacts
from platforms.registry import platforms
from store.accounts.connected import AppKey
from store.models import Account, ConnectedAccount

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
