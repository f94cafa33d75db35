"""Read the queries of lists of accounts, and write the cursors of their next pages."""

from dataclasses import dataclass
from functools import partial

from api.http.cursors import LONGEST_CURSOR, NO_CURSOR, decode_cursor, encode_cursor
from api.http.headers import HttpRequest
from api.http.query import MAX_LIMIT, convert_parameter, parse_choice, parse_limit, parse_platform, parse_query
from domain.account_health import Health
from domain.errors import InvalidRequest, Problem


@dataclass(frozen=True, slots=True)
class AccountsQuery:
    """The filters of a list of accounts. `after` is the id of the account before the page, empty for the first page."""

    platform: str | None
    health: Health | None
    after: str
    limit: int


def accounts_cursor(account_id: str) -> str:
    """Return the cursor of the page of accounts that follows one."""
    return encode_cursor({"id": account_id})


def read_accounts_query(request: HttpRequest) -> AccountsQuery:
    """Return the filters of a list of accounts. Raises InvalidRequest with every problem."""
    query, query_problems = parse_query(request)
    problems: list[Problem] = []
    take = partial(convert_parameter, query, problems)
    platform, health = take("platform", parse_platform), take("health", partial(parse_choice, Health))
    after, limit = take("cursor", _read_cursor), take("limit", parse_limit)
    if problems or query_problems:
        raise InvalidRequest([*problems, *query_problems])
    return AccountsQuery(platform, health, after or "", limit or MAX_LIMIT)


def _read_cursor(text: str) -> str:
    account_id = decode_cursor(text).get("id")
    if not isinstance(account_id, str) or not 0 < len(account_id) <= LONGEST_CURSOR or not account_id.isprintable():
        raise ValueError(NO_CURSOR)
    return account_id
