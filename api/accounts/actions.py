"""The work on accounts: history, and what is left to workers: to check, to remove and to list a setting's values."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any, Self

from pydantic import TypeAdapter, ValidationError
from sqlalchemy.ext.asyncio import AsyncSession
from structlog.contextvars import get_contextvars

from activities.commands import AccountStep
from api.accounts.schemas import (
    AccountEventView,
    AccountHistoryView,
    ChoicesView,
    ChoiceView,
    RemovedAccountView,
    WaitingPostsView,
)
from api.dependencies import Dependencies
from api.http.headers import HttpRequest
from api.http.query import known_platform, parse_query
from api.http.suggest import did_you_mean
from api.posts.answers.views import actor_view, actor_words
from domain.audit import NEEDED, Access, AccountAction, Actor, RevocationCause
from domain.errors import InvalidRequest, NotFound, PostsError, Problem, TooManyRequests, Unavailable, Unprocessable
from domain.schedule import rfc3339
from platforms.access.connector import Connector, connectors
from platforms.capabilities import ListedSetting, ListsChoices
from platforms.errors import ErrorKind
from platforms.registry import platforms
from store.accounts.connected import find_connected_account, may_be_checked, posts_waiting_for, request_removal
from store.accounts.pending_connections import add_choice_list
from store.audit import account_events, ended_since, last_removal, names_of_keys
from store.models import AccountEvent, ChoiceList, ConnectedAccount
from store.rows import count_rows, current_row
from workflows.short import AccountPlan, ChoicesPlan

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


MOST_CHECKS = 60
"""Checks of a workspace's accounts at their platforms in a minute; our choice."""
MOST_COUNTED, MOST_NAMED = 1_000, 5
_KEPT = timedelta(days=1)
"""How long a repeat of a removal is answered as the first."""
_NOT_DONE = Problem("No worker has answered in time. Send the same request again.", "unavailable")


@dataclass(frozen=True, slots=True)
class AccountName:
    """The account that a request names. It is not found if it belongs to another workspace."""

    workspace_id: str
    platform: str
    account_id: str

    @classmethod
    async def from_request(cls, request: HttpRequest, workspace_id: str, _deps: Dependencies) -> Self:
        """Return the account that the path names. Raises InvalidRequest, NotFound."""
        named = cls(workspace_id, known_platform(request.path_params["platform"]), request.path_params["account_id"])
        if "\0" in named.account_id:  # no row can have it, and PostgreSQL takes no text with it
            raise named.unknown
        return named

    @property
    def label(self) -> str:
        """Return the platform's name for people."""
        return platforms()[self.platform].label

    @property
    def unknown(self) -> NotFound:
        """Return the error of an account that is not there."""
        return NotFound(Problem(f"There is no {self.label} account of this id", "not_found"))


async def require_account(session: AsyncSession, named: AccountName) -> ConnectedAccount:
    """Return a connected account of the workspace. Raises NotFound."""
    account = await find_connected_account(session, named.workspace_id, named.platform, named.account_id)
    if account is None:
        raise named.unknown
    return account


async def check_account(deps: Dependencies, named: AccountName) -> None:
    """Run the check of an account on a worker, unless it was checked a moment ago.

    Raises NotFound, TooManyRequests, Unavailable.
    """
    connector, now = connectors().get(named.platform), datetime.now(UTC)
    every = connector.check_interval if connector else Connector.check_interval
    async with deps.database.reading() as session:
        account = await require_account(session, named)
        if not may_be_checked(account, every, now):
            return
        if (
            await count_rows(
                session,
                ConnectedAccount.workspace_id == named.workspace_id,
                ConnectedAccount.inspected_at >= now - timedelta(minutes=1),
                most=MOST_CHECKS,
            )
            >= MOST_CHECKS
        ):
            sentence = f"{MOST_CHECKS} accounts of this workspace were checked within a minute; please wait"
            raise TooManyRequests(Problem(sentence, "rate_limited"), retry_after=60)
    await deps.workflows.account(_plan(named, "check"))
    async with deps.database.reading() as session:
        checked = await require_account(session, named)
    if checked.inspected_at == account.inspected_at:
        raise Unavailable(_NOT_DONE)


async def remove_account(deps: Dependencies, actor: Actor, named: AccountName, *, revoke: bool) -> RemovedAccountView:
    """Forget an account and its tokens. A repeat within a day is answered alike. Raises NotFound, Unavailable."""
    async with deps.database.reading() as session:
        connected = await find_connected_account(session, named.workspace_id, named.platform, named.account_id)
    if connected is not None:
        async with deps.database.transaction() as session:
            own = (named.workspace_id, named.platform, named.account_id)
            await request_removal(session, *own, requested_by=actor.id, revokes=revoke)
        await deps.workflows.account(_plan(named, "remove"))
    async with deps.database.reading() as session:
        stays = connected and await find_connected_account(
            session, named.workspace_id, named.platform, named.account_id
        )
        removed = await last_removal(session, named.workspace_id, named.platform, named.account_id)
        ended = set[str]() if removed is None else await ended_since(session, removed)
    if stays is not None:
        raise Unavailable(_NOT_DONE)
    if removed is None or removed.at < datetime.now(UTC) - _KEPT:
        raise named.unknown
    async with deps.database.reading() as session:
        waiting = await posts_waiting_for(session, named.workspace_id, named.account_id, MOST_COUNTED + 1)
    return _view(named, removed, _access(removed, ended), waiting)


def _plan(named: AccountName, step: AccountStep) -> AccountPlan:
    return AccountPlan(
        workspace_id=named.workspace_id,
        account_id=named.account_id,
        platform=named.platform,
        step=step,
        request_id=get_contextvars().get("request_id"),
    )


def _access(removed: AccountEvent, ended: Collection[str]) -> Access:
    """Return the state of the access, by the revocations that the platform has carried out since the removal."""
    revocations = removed.details.get("revocations")
    if not revocations:
        return Access.KEPT
    return Access.UNKNOWN if removed.details.get("some_remain") or set(revocations) - set(ended) else Access.ENDED


def _view(named: AccountName, removed: AccountEvent, access: Access, waiting: Sequence[str]) -> RemovedAccountView:
    username, count = str(removed.details.get("username") or named.account_id), min(len(waiting), MOST_COUNTED)
    more = len(waiting) > MOST_COUNTED
    to_remove = removed.details.get("to_remove") or "To end it there, too, remove the app in the account's settings."
    remains = removed.details.get("remains")
    sentences = {
        Access.ENDED: f"{named.label} has ended this service's access." + (f" {remains}" if remains else ""),
        Access.KEPT: f"This service has forgotten its access at {named.label}. {to_remove}",
        Access.UNKNOWN: f"It is not known whether {named.label} has ended all of this service's access, which this "
        f"service uses no longer. {to_remove}",
    }
    consequences = [f"{username} is no longer connected.", sentences[access]]
    if count:
        posts = "1 post is" if count == 1 else f"{'More than ' if more else ''}{count} posts are"
        consequences.append(
            f"{posts} still to be published to it. Each is held at its time, and goes out once the account is "
            "connected again. If that takes longer than the post's publishWithin, it fails and can be retried."
        )
    return RemovedAccountView(
        platform=named.platform,
        accountId=named.account_id,
        username=username,
        removed=True,
        removedAt=rfc3339(removed.at),
        access=access,
        waitingPosts=WaitingPostsView(count=count, more=more, first=list(waiting[:MOST_NAMED])),
        message=" ".join(consequences),
    )


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


MOST_LISTS = 30
"""Requests for values that a workspace may make in a minute; our choice."""
_LONGEST_WITHIN = 100
_RETRY_S = 60


@dataclass(frozen=True, slots=True)
class ChoicesQuery:
    """A request for the values of a setting; `within` is the value of the setting that they depend on."""

    setting: str
    within: str
    listed: ListedSetting


def read_choices_query(request: HttpRequest, platform: str) -> ChoicesQuery:
    """Return which values are asked for. Raises InvalidRequest with every problem."""
    query, problems = parse_query(request)
    listed = settings_listed(platform)
    names, label = ", ".join(listed), platforms()[platform].label
    name = query.get("setting")
    if not listed:
        problems.append(_invalid(f"{label} has no setting whose values can be listed", "setting"))
    elif name is None:
        problems.append(Problem(f"setting is required: one of {names}", "missing_required_field", "setting"))
    elif name not in listed:
        problems.append(_invalid(f"setting must be one of {names} for {label}{did_you_mean(name, listed)}", "setting"))
    else:
        problems += _problems_within(platform, name, listed[name].within, query.get("within"))
    if problems or name is None:
        raise InvalidRequest(problems)
    return ChoicesQuery(name, query.get("within", "").rpartition("/")[2], listed[name])


def settings_listed(platform: str) -> dict[str, ListedSetting]:
    """Return the settings of a platform whose values can be listed, by their names."""
    connector = platforms()[platform]
    return dict(connector.listed) if isinstance(connector, ListsChoices) else {}


def _problems_within(platform: str, name: str, other: str | None, value: str | None) -> list[Problem]:
    if other is None:
        return [] if value is None else [_invalid(f"{name} depends on no other setting: leave within out", "within")]
    if value is None:
        sentence = f"within is required for {name}: the value of {other}"
        return [Problem(sentence, "missing_required_field", "within")]
    fields = platforms()[platform].settings.model_fields.values()
    field = next(field for field in fields if field.alias == other)
    kind: Any = Annotated[field.annotation, *field.metadata] if field.metadata else field.annotation
    try:
        TypeAdapter(kind).validate_python(value)
    except ValidationError:
        return [_invalid(f"within must be a value of {other}", "within")]
    return [] if len(value) <= _LONGEST_WITHIN else [_invalid("within is too long", "within")]


def _invalid(sentence: str, param: str) -> Problem:
    return Problem(sentence, "invalid_field_value", param)


async def list_choices(deps: Dependencies, named: AccountName, query: ChoicesQuery) -> ChoicesView:
    """Have a worker ask the platform. Raises NotFound, TooManyRequests, Unprocessable, Unavailable."""
    since = datetime.now(UTC) - timedelta(minutes=1)
    async with deps.database.transaction() as session:
        account = await require_account(session, named)
        if (
            await count_rows(
                session, ChoiceList.workspace_id == named.workspace_id, ChoiceList.asked_at >= since, most=MOST_LISTS
            )
            >= MOST_LISTS
        ):
            sentence = f"This workspace asked {MOST_LISTS} times for values of settings within a minute; please wait"
            raise TooManyRequests(Problem(sentence, "rate_limited"), retry_after=_RETRY_S)
        list_id = await add_choice_list(session, named.workspace_id, account.id, query.setting, query.within)
    request_id = get_contextvars().get("request_id")
    await deps.workflows.choices(
        ChoicesPlan(list_id=list_id, platform=named.platform, workspace_id=named.workspace_id, request_id=request_id)
    )
    async with deps.database.reading() as session:
        row = await current_row(session, ChoiceList, list_id)
    if row is None or not row.result:
        raise Unavailable(_NOT_DONE)
    if "error" in row.result:
        raise _refusal(named, account, query, row.result)
    return ChoicesView(
        setting=query.setting,
        choices=[ChoiceView(value=value, label=label) for value, label in row.result["choices"]],
        more=row.result["more"],
    )


def _refusal(named: AccountName, account: ConnectedAccount, query: ChoicesQuery, result: dict[str, Any]) -> PostsError:
    """Return the error of a platform that did not list the values."""
    kind, sentence, scope = ErrorKind(result["kind"]), result["error"], query.listed.scope
    problem = partial(Problem, platform=named.platform, account_id=named.account_id)
    lacks = scope is not None and account.scopes is not None and scope not in account.scopes
    if lacks and result["status"] in {401, 403}:
        sentence = f"{named.label} lists these values only with the permission {scope}, which the account lacks"
        return Unprocessable(problem(f"{sentence}. Connect it again.", "permission_missing"))
    match kind:
        case ErrorKind.AUTH:
            return Unprocessable(problem(sentence, "account_refused"))
        case ErrorKind.OPERATOR:
            return Unprocessable(problem(sentence, "app_refused"))
        case ErrorKind.REJECTED:
            param = "within" if query.listed.within else "setting"
            return Unprocessable(problem(sentence, "invalid_field_value", param))
        case ErrorKind.RATE_LIMITED | ErrorKind.CAPPED:
            return TooManyRequests(problem(sentence, "rate_limited"), result["retryAfter"] or _RETRY_S)
        case _:
            return Unavailable(problem(sentence, "unavailable"))
