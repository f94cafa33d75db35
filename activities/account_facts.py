"""The facts of an account's row that a platform's rules and requests need."""

from platforms.base import AccountFacts
from store.models import Account, ConnectedAccount


def account_facts(account: Account | ConnectedAccount) -> AccountFacts:
    """Return the facts of a row, without secrets."""
    return AccountFacts(account.id, account.user_id, account.username, account.premium, account.limits, account.allowed)
