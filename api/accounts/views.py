"""The answers about connected accounts, made of their rows."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from activities.token_times import rules_of
from api.accounts.schemas import AccountHealthView, AccountView
from domain.account_health import HealthReport, TokenFacts, report_on
from domain.schedule import rfc3339
from platforms.connect import connectors
from platforms.registry import platforms
from store.account_pages import AppKey
from store.models import Account, ConnectedAccount

AnyAccount = Account | ConnectedAccount


def facts_of(account: AnyAccount, refused_apps: Mapping[AppKey, str], now: datetime) -> TokenFacts:
    """Return what an account's row says of its tokens."""
    missing, declined = lacking(account)
    found: Mapping[str, Any] = account.inspection or {}
    unanswered = found.get("unanswered") if _is_newest(account) else None
    return TokenFacts(
        label=platforms()[account.platform].label,
        expires_at=account.expires_at,
        connection_ends_at=ends_of(account, now),
        refused_at=account.refused_at,
        refusal=account.refusal,
        renewal_refused=is_refused_renewal(account),
        renewal_failures=account.renewal_failures,
        renewed_at=account.renewed_at or account.connected_at,
        app_refusal=refused_apps.get((account.platform, account.app_id)),
        missing=tuple(dict.fromkeys([*missing, *found.get("missing", ())])),
        declined=tuple(declined),
        notes=(*found.get("notes", ()), *([unanswered] if unanswered else [])),
    )


def _is_newest(account: AnyAccount) -> bool:
    """Tell whether the last check is the newest that is known of an account."""
    asked, proven = account.inspected_at, account.last_ok_at
    return asked is not None and (proven is None or proven < asked)


def lacking(account: AnyAccount) -> tuple[list[str], list[str]]:
    """Return the permissions that are missing to publish, and those for other things; none if they are not known."""
    connector = connectors().get(account.platform)
    if connector is None or account.scopes is None:
        return [], []
    return connector.lacking(account.scopes)


def ends_of(account: AnyAccount, now: datetime) -> datetime | None:
    """Return when an account's connection ends if its owner does nothing; None if it is renewed before."""
    if is_refused_renewal(account):
        return account.expires_at
    rules, ends, renewed = rules_of(platforms()[account.platform]), account.refresh_expires_at, account.renew_at
    if rules is None or rules.renew_after is None or renewed is None or ends is None:
        return ends
    return None if now < ends and renewed < ends else ends


def is_refused_renewal(account: AnyAccount) -> bool:
    """Tell whether the last renewal was refused for good: after all other failures it has a time for the next try."""
    return account.renewal_failures > 0 and account.renew_at is None


def account_view(account: AnyAccount, refused_apps: Mapping[AppKey, str], now: datetime) -> AccountView:
    """Return an account as lists show it."""
    facts = facts_of(account, refused_apps, now)
    return AccountView(**_of(account, facts, report_on(facts, now)))


def health_view(account: AnyAccount, refused_apps: Mapping[AppKey, str], now: datetime) -> AccountHealthView:
    """Return how an account is."""
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
