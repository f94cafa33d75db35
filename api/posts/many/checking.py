"""The check of many rows, each as the body that creates a post, with all problems by row."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Any, Self

from sqlalchemy.ext.asyncio import AsyncSession

from api.dependencies import Dependencies
from api.http.body import JsonObject, check_size, unusable_strings
from api.http.moments import now_ms
from api.posts.bodies.parse_post import TIME_PASSED, ParsedPost, read_create, to_body
from api.posts.bodies.platform_rules import collect_platform_problems
from api.posts.bodies.schemas import LONGEST_NAME
from api.posts.many.problems import ProblemKey, grouped, problem_key, show_value
from api.posts.media_checks import find_upload_problems_in_posts
from api.posts.once import body_digest
from api.posts.times import UNKNOWN_QUEUE, campaign_refusal, find_campaign_problem, next_queue, read_campaign
from domain.campaigns import CampaignRules
from domain.errors import Conflict, InvalidRequest, Problem, Unprocessable
from domain.loop_share import LoopShare, loop_share
from domain.post import PostStatus
from domain.queues import NEXT
from domain.schedule import resolve
from store.models import ConnectedAccount
from store.posts.creating import read_accounts
from store.queues.queues import AccountName, accounts_of_queues, list_queues

MOST_ROWS = 10_000
"""Rows of one request, which become posts in one transaction."""
MOST_ROW_VALUES, MOST_ROW_TARGETS = 500_000, 50_000
"""Values, and targets of posts, in all rows of a request: each takes up to 2 KB of the process's memory."""
MOST_ROW_PROBLEMS = 1_000
"""Problems that the answer to a request with many rows lists."""
MOST_PROBLEMS_OF_ROW = 10
"""Problems of one row that the answer lists, if other rows were carried out."""
SLICE = 100
"""Rows that are worked on before other heavy requests have their turn."""
_PUBLISH_NOW = Problem(
    "publishNow cannot be given in a request with many rows: give scheduledFor, or send the post to POST /v1/posts",
    "invalid_field_value",
    "publishNow",
)
_MAY_LEAVE_OUT = frozenset({"campaignId", "timezone"})
"""Fields that the query of an import can give to all rows."""
_FIRST_ROW = "post_" + 32 * "0"
"""The id that the post has meanwhile for which a row waits that names it by its externalId."""


@dataclass(frozen=True, slots=True)
class QueuesOfRows:
    """The queues of a workspace, as the rows of one request name them."""

    is_read: bool = False
    ids: frozenset[str] = frozenset()
    by_account: Mapping[AccountName, str] = field(default_factory=dict)

    @classmethod
    async def read(cls, session: AsyncSession, workspace_id: str) -> Self:
        """Return the queues of a workspace."""
        ids = frozenset(queue.id for queue in await list_queues(session, workspace_id))
        accounts = await accounts_of_queues(session, ids)
        return cls(True, ids, {name: queue_id for queue_id, names in accounts.items() for name in names})

    def name_queue(self, parsed_post: ParsedPost, campaign: CampaignRules | None) -> ParsedPost:
        """Return a post that asks for a slot with the id of the queue; any other post as it is.

        Raises Unprocessable, Conflict.
        """
        if parsed_post.queue is None:
            return parsed_post
        is_next = parsed_post.queue == NEXT
        queue_id = next_queue(parsed_post.content, self.by_account) if is_next else parsed_post.queue
        if queue_id not in self.ids:
            raise Unprocessable(UNKNOWN_QUEUE)
        # Any time: of a campaign that has not started, no post has one.
        if campaign and campaign.keeps_drafts and (problem := campaign.find_problem(PostStatus.SCHEDULED, now_ms())):
            raise campaign_refusal(problem)
        return replace(parsed_post, queue=queue_id)


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
    after_external_id: str | None = None
    """The externalId of the post for which it waits, if it names that post so: its content has no true id of it."""
    is_draft: bool = False
    """Whether it asks for a draft, rather than gets one because its campaign has not started or it waits for a post."""
    leaves_out: frozenset[str] = frozenset()
    """The fields that it has from its campaign or by default, although an earlier row may have said otherwise."""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that cannot be carried out, and why."""

    number: int
    problems: Sequence[Problem]
    external_id: str | None = None
    digest: str | None = None
    """As of a checked post; None if the row cannot be read."""
    is_malformed: bool = True
    """Whether its shape is wrong; otherwise an account or a platform refuses it."""
    post: CheckedPost | None = None
    """The post that it asks for, if only its time, an account or a platform is in the way."""


@dataclass(slots=True)
class CheckedRows:
    """The rows of a request: the posts that it asks for, and what is wrong with the other rows."""

    posts: list[CheckedPost] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)
    accounts: dict[str, ConnectedAccount] = field(default_factory=dict)
    """The connected ones among the accounts that the rows name."""
    total: int = 0
    """The number of rows."""
    unlisted: Counter[ProblemKey] = field(default_factory=Counter)
    """The problems of refused rows that are not listed there, because there are too many."""

    def require_sound(self) -> None:
        """Raise InvalidRequest or Unprocessable with the problems of all rows, if there are any."""
        if not self.refused:
            return
        refused = sorted(self.refused, key=lambda row: row.number)
        all_problems = [problem for row in refused for problem in row.problems]
        problems = list(islice(grouped(all_problems, self.unlisted, self.total), MOST_ROW_PROBLEMS))
        raise (InvalidRequest if any(row.is_malformed for row in refused) else Unprocessable)(problems)


async def check_rows(
    deps: Dependencies,
    workspace_id: str,
    rows: Iterable[Row],
    size: int,
    name: str = "rows",
    campaigns: Mapping[str, CampaignRules] | None = None,
) -> CheckedRows:
    """Return the posts of rows, and the problems of rows that cannot be created.

    Rows are read from `rows` as they are checked, so that a file is never held as objects as a whole. `size`: the bytes
    of the request, by which it takes turns on the event loop. `name`: what `param` calls rows, as in `rows.17.content`.
    `campaigns`: the rules of campaigns that are not saved yet, by id.
    """
    check = _Check(deps, workspace_id, name, campaigns or {})
    remaining = iter(rows)
    while True:
        slice_rows: list[Row] = []
        async with loop_share(size) as turn:
            for row in islice(remaining, SLICE):
                slice_rows.append(row)
                await turn.pause()
            await turn.rest()
        if not slice_rows:
            return check.checked
        await check.read_campaigns(slice_rows)
        await check.read_queues(slice_rows)
        async with loop_share(size) as turn:
            posts = await check.parse(slice_rows, turn)
            await turn.rest()
        await check.read_accounts(posts)
        await check.read_uploads(posts)
        async with loop_share(size) as turn:
            await check.compare_with_platforms(posts, turn)
            await turn.rest()


def _external_id(body: JsonObject) -> str | None:
    """Return the externalId of a row, None if it has none that a post could have."""
    name = body.get("externalId")
    usable = isinstance(name, str) and len(name) <= LONGEST_NAME and not unusable_strings({"externalId": name})
    return name if usable else None


def _without_name(body: JsonObject) -> tuple[JsonObject, str | None]:
    """Return the body of a row with an id in place of the externalId for which it waits, and that externalId."""
    after = body.get("after")
    if not isinstance(after, dict) or after.get("postId") is not None or (name := _external_id(after)) is None:
        return body, None
    others = {field_name: value for field_name, value in after.items() if field_name != "externalId"}
    return {**body, "after": {**others, "postId": _FIRST_ROW}}, name


def _checked(row: Row, parsed: ParsedPost, digest: str, after_external_id: str | None) -> CheckedPost:
    content, leaves_out = parsed.content, _MAY_LEAVE_OUT - row.body.keys()
    waits = content.after_post_id is not None
    timeless = content.scheduled_for is None and parsed.queue is None
    is_draft = not waits and (timeless or row.body.get("isDraft") is True)
    return CheckedPost(row.number, parsed, digest, after_external_id, is_draft, leaves_out)


def _read_past(body: JsonObject, error: InvalidRequest, campaign: CampaignRules | None) -> ParsedPost | None:
    """Return the post of a row of which only the time is wrong, because it has passed; None for any other row."""
    if error.problems != (TIME_PASSED,):
        return None
    zone = body.get("timezone") or (campaign.timezone if campaign else "UTC")
    try:
        return read_create(body, resolve(body["scheduledFor"], zone).instant, campaign)
    except InvalidRequest:
        return None


class _Check:
    """The check of one request's rows, a slice of them at a time."""

    def __init__(
        self, deps: Dependencies, workspace_id: str, name: str, campaigns: Mapping[str, CampaignRules]
    ) -> None:
        self.checked = CheckedRows()
        self._deps, self._database, self._workspace_id, self._name = deps, deps.database, workspace_id, name
        self._campaigns: dict[str, CampaignRules | None] = dict(campaigns)
        self._asked_accounts: set[str] = set()
        self._numbers: dict[str, int] = {}
        """The row of each externalId so far."""
        self._uploads: dict[int, list[Problem]] = {}
        """By row the problems of the uploads in this slice."""
        self._values = self._targets = self._problems = 0
        self._now = now_ms()
        self._queues = QueuesOfRows()

    async def read_queues(self, rows: Iterable[Row]) -> None:
        """Read the queues of the workspace once a row asks for one."""
        if not self._queues.is_read and any(row.body.get("queue") is not None for row in rows):
            async with self._database.reading() as session:
                self._queues = await QueuesOfRows.read(session, self._workspace_id)

    async def read_campaigns(self, rows: Iterable[Row]) -> None:
        """Read the rules of the campaigns that rows name."""
        for row in rows:
            if isinstance(campaign_id := row.body.get("campaignId"), str) and campaign_id not in self._campaigns:
                self._campaigns[campaign_id] = await read_campaign(self._database, self._workspace_id, row.body)

    async def parse(self, rows: Iterable[Row], turn: LoopShare) -> list[CheckedPost]:
        """Return the posts of rows whose shape is right, and refuse the others. Raises InvalidRequest."""
        posts: list[CheckedPost] = []
        for row in rows:
            self.checked.total += 1
            parsed_row = self._parse(row)
            if isinstance(parsed_row, CheckedPost):
                posts.append(parsed_row)
            else:
                self._refuse(parsed_row, row.body)
            await turn.pause()
        return posts

    async def read_accounts(self, posts: Iterable[CheckedPost]) -> None:
        """Read the accounts that scheduled posts name."""
        scheduled = (post.parsed for post in posts if not post.parsed.is_draft)
        account_ids = {target.account_id for parsed in scheduled for target in parsed.content.targets}
        if new_ids := account_ids - self._asked_accounts:
            self._asked_accounts |= new_ids
            self.checked.accounts |= await read_accounts(self._database, self._workspace_id, sorted(new_ids))

    async def read_uploads(self, posts: Iterable[CheckedPost]) -> None:
        """Find the uploads that scheduled posts name and that have not come."""
        scheduled = [post for post in posts if not post.parsed.is_draft]
        contents = [post.parsed.content for post in scheduled]
        problems = await find_upload_problems_in_posts(self._deps, self._workspace_id, contents)
        self._uploads = dict(zip((post.number for post in scheduled), problems, strict=True))

    async def compare_with_platforms(self, posts: Iterable[CheckedPost], turn: LoopShare) -> None:
        """Refuse the posts that their accounts and platforms would refuse, and add the others."""
        for post in posts:
            content, problems = post.parsed.content, list[Problem]()
            if not post.parsed.is_draft:
                problems = await collect_platform_problems(content, self.checked.accounts, turn)
                problems += self._uploads.get(post.number, [])
            if problems:
                external_id, digest = content.external_id, post.digest
                self._refuse(
                    RefusedRow(post.number, problems, external_id, digest, is_malformed=False, post=post), None
                )
            else:
                self.checked.posts.append(post)
            await turn.pause()

    def _parse(self, row: Row) -> CheckedPost | RefusedRow:
        external_id = _external_id(row.body)
        problems = [*row.problems, *self._problems_in_request(row, external_id)]
        if row.problems:
            return RefusedRow(row.number, problems, external_id)
        try:
            values = check_size(row.body, "The row")
        except InvalidRequest as error:
            return RefusedRow(row.number, [*problems, *error.problems], external_id)
        digest = body_digest(row.body).hex()
        campaign_id = row.body.get("campaignId")
        campaign = self._campaigns.get(campaign_id) if isinstance(campaign_id, str) else None
        body, after_external_id = _without_name(row.body)
        try:
            parsed = read_create(body, self._now, campaign)
        except InvalidRequest as error:
            past = None if problems else _read_past(body, error, campaign)
            if past is None:
                return RefusedRow(row.number, [*problems, *error.problems], external_id, digest)
            self._count(values, len(past.content.targets))
            post = _checked(row, past, digest, after_external_id)
            return RefusedRow(row.number, error.problems, external_id, digest, post=post)
        if problems:
            return RefusedRow(row.number, problems, external_id, digest)
        self._count(values, len(parsed.content.targets))
        post = _checked(row, parsed, digest, after_external_id)
        if problem := find_campaign_problem(parsed, campaign):
            return RefusedRow(row.number, [problem], external_id, digest, is_malformed=False, post=post)
        try:
            return replace(post, parsed=self._queues.name_queue(parsed, campaign))
        except (Unprocessable, Conflict) as error:
            return RefusedRow(row.number, error.problems, external_id, digest, is_malformed=False)

    def _problems_in_request(self, row: Row, external_id: str | None) -> Iterator[Problem]:
        """Yield the problems that a row would not have if it were alone."""
        if row.body.get("publishNow"):
            yield _PUBLISH_NOW
        if external_id is not None and (first := self._numbers.setdefault(external_id, row.number)) != row.number:
            sentence = f"externalId is that of row {first}, too: each row needs one of its own"
            yield Problem(sentence, "invalid_field_value", "externalId")

    def _count(self, values: int, targets: int) -> None:
        self._values += values
        self._targets += targets
        if self._values > MOST_ROW_VALUES:
            raise InvalidRequest(Problem(f"The rows hold more than {MOST_ROW_VALUES:,} values in all", "invalid_json"))
        if self._targets > MOST_ROW_TARGETS:
            sentence = f"The rows have more than {MOST_ROW_TARGETS:,} targets in all: send fewer rows in one request"
            raise InvalidRequest(Problem(sentence, "invalid_field_value", self._name))

    def _refuse(self, refused: RefusedRow, body: JsonObject | None) -> None:
        """Add a refused row, whose problems name it and say what is there; without a body they are its content's."""
        where = f"{self._name}.{refused.number}"
        # No answer lists more, and a hostile request could cause a million.
        shown = len(refused.problems) if self._problems < MOST_ROW_PROBLEMS else 1
        self._problems += len(refused.problems[:shown])
        fields: Any = to_body(refused.post.parsed.content) if body is None and refused.post else body
        problems = [
            replace(problem.within(where), row=refused.number, value=problem.value or show_value(problem, fields))
            for problem in refused.problems[:shown]
        ]
        for key in map(problem_key, refused.problems[shown:]):
            self.checked.unlisted[key] += key in self.checked.unlisted or len(self.checked.unlisted) < MOST_ROW_PROBLEMS
        self.checked.refused.append(replace(refused, problems=problems))
