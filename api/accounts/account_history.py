"""The history of an account as clients read it: who connected and removed it."""

from collections.abc import Mapping

from api.accounts.actions import AccountName
from api.accounts.schemas import AccountEventView, AccountHistoryView
from api.dependencies import Dependencies
from api.posts.answers.actors import actor_view, actor_words
from domain.audit import NEEDED, AccountAction, RevocationCause
from domain.schedule import rfc3339
from platforms.registry import platforms
from store.accounts.connected import find_connected_account
from store.audit import account_events, names_of_keys
from store.models import AccountEvent

MOST_EVENTS = 100
_DID = {
    AccountAction.CONNECTED: "connected {name}",
    AccountAction.RECONNECTED: "connected {name} again",
    AccountAction.REMOVED: "removed {name}",
    AccountAction.REVOKED: "ended {access}",
    AccountAction.NOT_REVOKED: "could not end {access}",
}
_ACCESS = {
    RevocationCause.REMOVED: "its access at {label}",
    RevocationCause.REPLACED: "its earlier access at {label}, which a new connection has replaced",
    RevocationCause.REFUSED: "the access at {label} that a refused connection had obtained",
}


async def account_history(deps: Dependencies, named: AccountName) -> AccountHistoryView:
    """Return the newest events of an account, also if it is removed. Raises NotFound."""
    async with deps.database.reading() as session:
        events = await account_events(session, named.workspace_id, named.platform, named.account_id, MOST_EVENTS)
        names = await names_of_keys(session, (event.actor_id for event in events))
        if (
            not events
            and await find_connected_account(session, named.workspace_id, named.platform, named.account_id) is None
        ):
            raise named.unknown
    return AccountHistoryView(events=[event_view(event, names) for event in events])


def event_view(event: AccountEvent, names: Mapping[str, str], *, identities: bool = False) -> AccountEventView:
    """Return a line as clients read it; with `identities` as operators do, who see each other's names."""
    action, key_name = AccountAction(event.action), names.get(event.actor_id or "")
    who = actor_words(event.actor_type, event.actor_id, key_name, identities=identities)
    label = platforms()[event.platform].label
    access = _ACCESS[RevocationCause(event.details.get("cause", RevocationCause.REMOVED))].format(label=label)
    did = _DID[action].format(name=event.details.get("username") or event.account_id, access=access)
    if NEEDED.items() <= event.details.items():
        did = f"did not end {access}: a connected account needs it"
    if event.details.get("hosted"):
        did += " on a page of this service"
    return AccountEventView(
        at=rfc3339(event.at),
        action=action,
        actor=actor_view(event.actor_type, event.actor_id, key_name, identities=identities),
        connectionId=event.details.get("connection_id"),
        summary=f"{who} {did}.",
    )
