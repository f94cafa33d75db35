"""The answers about connected accounts, made of their rows."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from accounts.facts import AnyAccount, facts_of
from api.accounts.schemas import AccountHealthView, AccountView
from domain.account_health import HealthReport, TokenFacts, report_on
from domain.schedule import rfc3339
from store.accounts.pages import AppKey


def account_view(account: AnyAccount, refused_apps: Mapping[AppKey, str], now: datetime) -> AccountView:
    """Return an account as lists show it."""
    facts = facts_of(account, refused_apps, now)
    return AccountView(**_of(account, facts, report_on(facts, now)))


def health_view(account: AnyAccount, refused_apps: Mapping[AppKey, str], now: datetime) -> AccountHealthView:
    """Return the health of an account."""
    facts = facts_of(account, refused_apps, now)
    report = report_on(facts, now)
    proofs = [each for each in (account.last_ok_at, account.inspected_at) if each is not None]
    return AccountHealthView(
        **_of(account, facts, report),
        reason=report.reason,
        permissions=sorted(account.scopes or []),
        missing_permissions=[*facts.missing, *facts.declined],
        checked_at=rfc3339(max(proofs)) if proofs else None,
        recommendations=list(report.recommendations),
    )


def _of(account: AnyAccount, facts: TokenFacts, report: HealthReport) -> dict[str, Any]:
    ends = facts.connection_ends_at
    return {
        "platform": account.platform,
        "account_id": account.id,
        "username": account.username,
        "connected_at": rfc3339(account.connected_at),
        "health": report.health,
        "token_valid": report.token_valid,
        "expires_at": rfc3339(ends) if ends else None,
    }
