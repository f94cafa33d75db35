"""The facts of an account that a platform's rules and requests may know, from its row."""

from platforms.base import AccountFacts
from store.models import Account, ConnectedAccount


def account_facts(account: Account | ConnectedAccount) -> AccountFacts:
    """Return the facts of a row, without secrets."""
    return AccountFacts(account.id, account.user_id, account.username, account.premium, account.limits, account.allowed)
