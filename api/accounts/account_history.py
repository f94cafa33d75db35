"""The history of an account as clients read it: who connected and removed it."""

from collections.abc import Mapping
from typing import Any

from api.accounts.actions import AccountName
from api.accounts.schemas import AccountEventView, AccountHistoryView
from api.dependencies import Dependencies
from api.posts.history import ActorView
from domain.account_events import AccountAction
from domain.audit import ActorType
from domain.schedule import rfc3339
from platforms.registry import platforms
from store.accounts.pages import find_connected_account
from store.audit.account_events import account_events, names_of_keys
from store.models import AccountEvent

MOST_EVENTS = 100
_DID = {
    AccountAction.CONNECTED: "connected {name}",
    AccountAction.RECONNECTED: "connected {name} again",
    AccountAction.REMOVED: "removed {name}",
    AccountAction.REVOKED: "ended its access at {label}",
    AccountAction.NOT_REVOKED: "could not end its access at {label}",
}


async def account_history(deps: Dependencies, named: AccountName) -> AccountHistoryView:
    """Return the newest events of an account, also if it is removed. Raises NotFound."""
    async with deps.database.reading() as session:
        events = await account_events(session, named.workspace_id, named.platform, named.account_id, MOST_EVENTS)
        names = await names_of_keys(session, events)
        if (
            not events
            and await find_connected_account(session, named.workspace_id, named.platform, named.account_id) is None
        ):
            raise named.unknown
    return AccountHistoryView(events=[event_view(event, names) for event in events])


def event_view(event: AccountEvent, names: Mapping[str, str], *, identities: bool = False) -> AccountEventView:
    """Return a line as clients read it; with `identities` as operators do, who see each other's names."""
    kind, action, key_name = ActorType(event.actor_type), AccountAction(event.action), names.get(event.actor_id or "")
    given: dict[str, Any] = {}
    if event.actor_id and (identities or kind is ActorType.API_KEY):
        given = {"id": event.actor_id} | ({"name": key_name} if key_name else {})
    who = {ActorType.API_KEY: "An API key", ActorType.OPERATOR: "An operator"}.get(kind, "This service")
    if key_name:
        who = f'API key "{key_name}"'
    elif identities and event.actor_id:
        who = event.actor_id
    label = platforms()[event.platform].label
    did = _DID[action].format(name=event.details.get("username") or event.account_id, label=label)
    if event.details.get("hosted"):
        did += " on a page of this service"
    return AccountEventView(
        at=rfc3339(event.at),
        action=action,
        actor=ActorView.model_construct(type=kind, **given),
        connection_id=event.details.get("connection_id"),
        summary=f"{who} {did}.",
    )
