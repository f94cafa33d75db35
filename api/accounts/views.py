"""The answers about connected accounts, made of their rows."""

from collections.abc import Mapping
from datetime import datetime

from accounts.facts import AnyAccount, token_facts
from api.accounts.schemas import AccountHealthView, AccountView
from domain.account_health import HealthReport, TokenFacts, report_on
from domain.attempts import WhenUnreadable
from domain.schedule import rfc3339
from store.accounts.connected import AppKey


def account_view(account: AnyAccount, refused_apps: Mapping[AppKey, str], now: datetime) -> AccountView:
    """Return an account as lists show it."""
    facts = token_facts(account, refused_apps, now)
    return _account(account, facts, report_on(facts, now))


def health_view(account: AnyAccount, refused_apps: Mapping[AppKey, str], now: datetime) -> AccountHealthView:
    """Return the health of an account."""
    facts = token_facts(account, refused_apps, now)
    report = report_on(facts, now)
    checks = [check for check in (account.last_ok_at, account.inspected_at) if check is not None]
    return {
        **_account(account, facts, report),
        "reason": report.reason,
        "permissions": sorted(account.scopes or []),
        "missingPermissions": [*facts.missing, *facts.declined],
        "checkedAt": rfc3339(max(checks)) if checks else None,
        "recommendations": list(report.recommendations),
    }


def _account(account: AnyAccount, facts: TokenFacts, report: HealthReport) -> AccountView:
    ends = facts.connection_ends_at
    return {
        "platform": account.platform,
        "accountId": account.id,
        "username": account.username,
        "connectedAt": rfc3339(account.connected_at),
        "health": report.health,
        "tokenValid": report.token_valid,
        "expiresAt": rfc3339(ends) if ends else None,
        "whenUnreadable": WhenUnreadable(account.when_unreadable) if account.when_unreadable else None,
    }
