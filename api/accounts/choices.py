"""The values of a setting that a connected account may use, as its platform lists them."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Annotated, Any

from pydantic import TypeAdapter, ValidationError
from structlog.contextvars import get_contextvars

from api.accounts.actions import AccountName, require_account
from api.accounts.schemas import ChoicesView, ChoiceView
from api.dependencies import Dependencies
from api.http.headers import HttpRequest
from api.http.query import parse_query
from api.http.suggest import did_you_mean
from domain.errors import InvalidRequest, PostsError, Problem, TooManyRequests, Unavailable, Unprocessable
from platforms.capabilities import ListedSetting, ListsChoices
from platforms.errors import ErrorKind
from platforms.registry import platforms
from store.accounts.pending_connections import add_choice_list
from store.models import ChoiceList, ConnectedAccount
from store.rows import count_rows, current_row
from workflows.short import ChoicesPlan

MOST_LISTS = 30
"""Requests for values that a workspace may make in a minute; our choice."""
_LONGEST_WITHIN = 100
_RETRY_S = 60
_NOT_DONE = Problem("No worker has answered in time. Send the same request again.", "unavailable")


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
