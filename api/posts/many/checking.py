"""The check of many rows, each as the body that creates a post, with all problems by row."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import islice

from api.dependencies import Dependencies
from api.http.body import JsonObject
from api.posts.bodies.parse_post import ParsedPost, read_create
from api.posts.bodies.platform_rules import collect_platform_problems
from api.posts.changes.idempotency import body_digest
from api.posts.clock import now_ms
from domain.errors import InvalidRequest, Problem, Unprocessable
from domain.loop_share import loop_share
from store.models import ConnectedAccount
from store.posts.creating import read_accounts

MOST_ROWS = 10_000
"""Rows of one request, which become posts in one transaction."""
MOST_ROW_PROBLEMS = 1_000
"""Problems that the answer to a request with many rows lists."""
SLICE = 100
"""Rows that are worked on before other heavy requests have their turn."""
_PUBLISH_NOW = Problem(
    "publishNow cannot be given in a request with many rows: give scheduledFor, or send the post to POST /v1/posts",
    "invalid_field_value",
    "publishNow",
)
_QUEUE = Problem(
    "queue cannot be given in a request with many rows: give scheduledFor, or send the post to POST /v1/posts",
    "invalid_field_value",
    "queue",
)


@dataclass(frozen=True, slots=True)
class Row:
    """A row of a request: the body that would create its post alone."""

    number: int
    """Its line in a file, or its place in a list: by this number problems name it."""
    body: JsonObject
    problems: Sequence[Problem] = ()
    """Why it could not be read."""


@dataclass(frozen=True, slots=True)
class CheckedPost:
    """A row without a problem, and the post that it asks for."""

    number: int
    parsed: ParsedPost
    digest: str
    """The digest of its body, in hexadecimal."""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that cannot be carried out, and why."""

    number: int
    problems: Sequence[Problem]
    external_id: str | None = None
    is_malformed: bool = True
    """Whether its shape is wrong; otherwise an account or a platform refuses it."""


@dataclass(slots=True)
class CheckedRows:
    """The rows of a request: the posts that it asks for, and what is wrong with the other rows."""

    posts: list[CheckedPost] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)
    accounts: dict[str, ConnectedAccount] = field(default_factory=dict)
    """The connected ones among the accounts that the rows name."""

    @property
    def total(self) -> int:
        """Return the number of rows."""
        return len(self.posts) + len(self.refused)

    def require_sound(self) -> None:
        """Raise InvalidRequest or Unprocessable with the problems of all rows, if there are any."""
        if not self.refused:
            return
        refused = sorted(self.refused, key=lambda row: row.number)
        problems = list(islice((problem for row in refused for problem in row.problems), MOST_ROW_PROBLEMS))
        raise (InvalidRequest if any(row.is_malformed for row in refused) else Unprocessable)(problems)


async def check_rows(
    deps: Dependencies, workspace_id: str, rows: Iterable[Row], size: int, name: str = "rows"
) -> CheckedRows:
    """Return the posts of rows, and the problems of those that cannot be created.

    Rows are read from `rows` as they are checked, so that a file is never held as objects as a whole. `size`: the bytes
    of the request, by which it takes turns on the event loop. `name`: what `param` calls rows, as in `rows.17.content`.
    """
    checked, now = CheckedRows(), now_ms()
    numbers: dict[str, int] = {}
    asked: set[str] = set()
    remaining = iter(rows)
    while True:
        parsed_rows: list[CheckedPost] = []
        is_over = True
        async with loop_share(size) as turn:
            for row in islice(remaining, SLICE):
                is_over = False
                parsed_row = _parse(row, now, numbers)
                if isinstance(parsed_row, CheckedPost):
                    parsed_rows.append(parsed_row)
                else:
                    checked.refused.append(_named(parsed_row, name))
                await turn.pause()
        if is_over:
            return checked
        if new_ids := set(_account_ids(parsed_rows)) - asked:
            asked |= new_ids
            checked.accounts |= await read_accounts(deps.database, workspace_id, sorted(new_ids))
        async with loop_share(size) as turn:
            for post in parsed_rows:
                problems: list[Problem] = []
                if not post.parsed.is_draft:
                    problems = await collect_platform_problems(post.parsed.content, checked.accounts, turn)
                if problems:
                    refused = RefusedRow(post.number, problems, post.parsed.content.external_id, is_malformed=False)
                    checked.refused.append(_named(refused, name))
                else:
                    checked.posts.append(post)
                await turn.pause()


def _parse(row: Row, now: datetime, numbers: dict[str, int]) -> CheckedPost | RefusedRow:
    """Return the post of a row; `numbers` has the row of each externalId so far, and gets this one's."""
    external_id = row.body.get("externalId")
    external_id = external_id if isinstance(external_id, str) else None
    problems = list(row.problems)
    if not problems and row.body.get("publishNow"):
        problems.append(_PUBLISH_NOW)
    if not problems and row.body.get("queue") is not None:
        problems.append(_QUEUE)
    if external_id is not None and (first := numbers.setdefault(external_id, row.number)) != row.number:
        sentence = f"externalId is that of row {first}, too: each row needs one of its own"
        problems.append(Problem(sentence, "invalid_field_value", "externalId"))
    if row.problems:
        return RefusedRow(row.number, problems, external_id)
    try:
        parsed = read_create(row.body, now)
    except InvalidRequest as error:
        problems += error.problems
    if problems:
        return RefusedRow(row.number, problems, external_id)
    return CheckedPost(row.number, parsed, body_digest(row.body).hex())


def _named(refused: RefusedRow, name: str) -> RefusedRow:
    """Return a refused row whose problems name it."""
    where = f"{name}.{refused.number}"
    problems = [replace(problem.within(where), row=refused.number) for problem in refused.problems]
    return replace(refused, problems=problems)


def _account_ids(posts: Iterable[CheckedPost]) -> Iterator[str]:
    for post in posts:
        if not post.parsed.is_draft:
            yield from (target.account_id for target in post.parsed.content.targets)
