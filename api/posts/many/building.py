"""Rows for many checked posts, with their links and slots, their delivery, and warnings about them together."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, tzinfo
from itertools import islice
from typing import Annotated, NotRequired

from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from api.dependencies import Dependencies
from api.http.moments import now_ms
from api.posts.bodies.parse_post import ParsedPost
from api.posts.many.checking import SLICE, CheckedPost, RefusedRow
from api.posts.media_checks import warn_of_media_in
from api.posts.times import DAY, NO_QUEUE_ZONE, UNKNOWN_POST, UNKNOWN_QUEUE, day_limit, find_link_problem
from api.views import PlatformName, described, example, view
from domain.audit import Actor
from domain.codes import ProblemCode
from domain.content import PostContent, TargetContent
from domain.errors import Problem, Unprocessable
from domain.ids import is_post_id, made_at, new_id, workflow_id
from domain.loop_share import LoopShare, loop_share
from domain.moves import MOST_POSTS
from domain.ownership import BULK_LEAD
from domain.queues import FARTHEST
from domain.request_limits import RateLimit
from domain.schedule import ScheduledTime, UnknownZone, zone_named
from platforms.registry import platforms
from store.posts.chains import ChainEnd, chain_ends, lock_chains
from store.posts.contents import NewPost, new_columns
from store.posts.counts import count_planned
from store.posts.imports import find_known
from store.queues.slots import QueueFullError, QueueGoneError, fill_slots

MOST_WARNINGS = 100
"""Warnings of one answer."""
_MOST_ROWS_NAMED = 10
_MOVED = "name a time that clocks skip in that zone on that day: their posts are that much later, as 03:30 for 02:30"
_SHORTEST = timedelta(minutes=1)
"""A limit of less than a minute delays a post by seconds, which is no reason for a warning."""


@view("PlanWarning")
class PlanWarningView(TypedDict):
    """A warning about rows that are sound by themselves."""

    error: Annotated[str, described("A sentence for a person.", "151 posts are planned for tw_456 on 2030-12-03")]
    code: Annotated[ProblemCode, described("For a program.", "over_daily_cap")]
    platform: NotRequired[PlatformName]
    accountId: NotRequired[Annotated[str, described("The account, if the warning is of one.", "tw_456")]]
    day: NotRequired[Annotated[str, described("The day, with `over_daily_cap`.", "2030-12-03")]]
    planned: Annotated[int, example(151)]
    """The posts that are planned for it, those of before included; else the rows."""
    allowed: NotRequired[Annotated[int, described("The posts that its platform allows.", 150)]]
    rows: Annotated[list[int], described("The first 10 of the rows that it concerns.", [17, 18])]


@dataclass(frozen=True, slots=True)
class _Planned:
    """A target of a row."""

    row: int
    due_at: datetime
    content: PostContent
    target: TargetContent


_Account = tuple[str, str]


async def plan_warnings(
    session: AsyncSession,
    workspace_id: str,
    posts: Sequence[CheckedPost],
    zone: str | None,
    replaced: Collection[str],
    size: int,
) -> list[PlanWarningView]:
    """Return warnings about posts that are about to be saved.

    Days are those of `zone`, else of the first scheduled post's. `replaced`: the ids of posts in whose place they come.
    `size` is as in `check_rows`.
    """
    by_account: dict[_Account, list[_Planned]] = defaultdict(list)
    moved: list[int] = []
    async with loop_share(size) as turn:
        for post in posts:
            content = post.parsed.content
            zone = zone or content.timezone
            if content.scheduled_for is not None and content.scheduled_wall is not None:
                time = ScheduledTime(content.scheduled_for, content.scheduled_wall, content.timezone)
                moved += [post.number] if time.is_moved else []
            if (due_at := post.parsed.due_at) is not None:
                for target in content.targets:
                    planned = _Planned(post.number, due_at, content, target)
                    by_account[target.platform, target.account_id].append(planned)
            await turn.pause()
    day_zone = zone_named(zone or "UTC")
    existing = await _count_existing(session, workspace_id, by_account, day_zone, replaced)
    warnings = [rows_warning("moved_by_clock_change", _MOVED, moved)] if moved else []
    async with loop_share(size) as turn:
        for account, items in by_account.items():
            items.sort(key=lambda item: item.due_at)
            await turn.pause()
            rows_by_day, rows_by_text = await _group(items, day_zone, turn)
            warnings += islice(
                _warnings(account, items, rows_by_day, rows_by_text, existing), MOST_WARNINGS - len(warnings)
            )
            await turn.pause()
    return warnings


async def _count_existing(
    session: AsyncSession,
    workspace_id: str,
    by_account: dict[_Account, list[_Planned]],
    zone: tzinfo,
    replaced: Collection[str],
) -> Counter[tuple[_Account, str]]:
    """Return how many posts are planned already, for each account with a limit of a day, and day."""
    limited = {account: planned for account, planned in by_account.items() if day_limit(account[0])}
    counts: Counter[tuple[_Account, str]] = Counter()
    if not limited:
        return counts
    times = [item.due_at for planned in limited.values() for item in planned]
    rows = await count_planned(
        session, workspace_id, {account_id for _, account_id in limited}, min(times) - DAY, max(times) + DAY, replaced
    )
    for account, since, posts in rows:
        counts[account, _day(since, zone)] += posts
    return counts


async def _group(
    planned: Sequence[_Planned], zone: tzinfo, turn: LoopShare
) -> tuple[dict[str, list[int]], dict[tuple[str, ...], list[int]]]:
    """Return the rows of one account by their day, if it has a limit of a day, and by their text and media."""
    rows_by_day: dict[str, list[int]] = defaultdict(list)
    rows_by_text: dict[tuple[str, ...], list[int]] = defaultdict(list)
    for item in planned:
        if day_limit(item.target.platform):
            rows_by_day[_day(item.due_at, zone)].append(item.row)
        if platforms()[item.target.platform].rules.refuses_repeats:
            media = (medium.url for medium in item.content.media_for(item.target))
            rows_by_text[item.content.text_for(item.target), *media].append(item.row)
        await turn.pause()
    return rows_by_day, rows_by_text


def _day(moment: datetime, zone: tzinfo) -> str:
    return moment.astimezone(zone).date().isoformat()


def _warnings(
    account: _Account,
    planned: Sequence[_Planned],
    rows_by_day: Mapping[str, list[int]],
    rows_by_text: Mapping[tuple[str, ...], list[int]],
    existing: Counter[tuple[_Account, str]],
) -> Iterator[PlanWarningView]:
    """Yield the warnings about one account, whose rows are in the order of their times."""
    if limit := day_limit(account[0]):
        for day, rows in rows_by_day.items():
            number = len(rows) + existing[account, day]
            if number > limit.limit:
                sentence = "{posts:,} posts are planned for {account} on {day}, and {label} allows {allowed:,} a day"
                yield _warning("over_daily_cap", sentence, account, rows, number, limit.limit, day=day)
    for limit in platforms()[account[0]].rules.rate_limits:
        if _SHORTEST <= limit.per < DAY and (close := _closest(planned, limit)):
            sentence = (
                f"{{posts:,}} posts to {{account}} are planned within {limit.per}, and {{label}} allows {{allowed:,}}"
            )
            yield _warning("too_close", sentence, account, close, len(close), limit.limit)
    for rows in rows_by_text.values():
        if len(rows) > 1:
            sentence = "{posts:,} posts to {account} have the same text, and {label} refuses to publish a text again"
            yield _warning("duplicate_content", sentence, account, rows, len(rows), 1)


def _warning(
    code: ProblemCode, sentence: str, account: _Account, rows: Iterable[int], planned: int, allowed: int, day: str = ""
) -> PlanWarningView:
    platform, account_id = account
    label = platforms()[platform].label
    warning = PlanWarningView(
        error=sentence.format(posts=planned, account=account_id, label=label, allowed=allowed, day=day),
        code=code,
        platform=platform,
        accountId=account_id,
        planned=planned,
        allowed=allowed,
        rows=list(islice(rows, _MOST_ROWS_NAMED)),
    )
    if day:
        warning["day"] = day
    return warning


def rows_warning(code: ProblemCode, sentence: str, rows: Sequence[int]) -> PlanWarningView:
    """Return a warning about rows whatever their accounts are."""
    sentence = f"{len(rows):,} {'row' if len(rows) == 1 else 'rows'} {sentence}"
    return PlanWarningView(error=sentence, code=code, planned=len(rows), rows=list(rows[:_MOST_ROWS_NAMED]))


def _closest(planned: Sequence[_Planned], limit: RateLimit) -> list[int]:
    """Return the rows of the first window in which more posts are planned than allowed, if there is one."""
    for begin in range(len(planned) - limit.limit):
        end = planned[begin].due_at + limit.per
        if planned[begin + limit.limit].due_at < end:
            return [item.row for item in planned[begin:] if item.due_at < end]
    return []


_NO_ROW = Problem(
    "No row of this request becomes a post with this externalId, and the workspace has none", "post_not_found"
)
_NAME, _ID = "after.externalId", "after.postId"


@dataclass(slots=True)
class _Links:
    """The links of the rows that become posts."""

    rows: Mapping[int, CheckedPost]
    first_rows: dict[int, int]
    """By row the other row for which it waits."""
    first_ids: dict[int, str | None]
    """By row the existing post for which it waits; None if there is none."""
    ends: Mapping[str, ChainEnd]
    """By id what is known of such posts."""

    def find_problem(self, number: int, now: datetime) -> Problem | None:
        """Return why a row cannot wait for its first post, other than that this one is refused."""
        content, top, length = self.rows[number].parsed.content, number, 1
        while (first := self.first_rows.get(top)) is not None and length <= MOST_POSTS and first != number:
            top, length = first, length + 1
        is_circle = first == number
        end = self.ends.get(self.first_ids.get(top) or "")
        problem = find_link_problem(
            end.first if end and top == number else None,
            content,
            now,
            is_circle=is_circle,
            length=length + (end.length if end else 0),
        )
        if problem is None and number in self.first_ids and end is None:
            return UNKNOWN_POST
        return problem


async def link_rows(
    session: AsyncSession, workspace_id: str, rows: Sequence[CheckedPost], now: datetime, name: str, turn: LoopShare
) -> tuple[dict[int, int], list[RefusedRow]]:
    """Find the first posts of rows that wait for another post, and write the ids of existing ones into the contents.

    Returns for each row that waits for another row that row's number, and the rows that cannot wait. No other chain of
    the workspace changes until the transaction ends; existing posts are locked before. `name` is as in `check_rows`.
    """
    waiting = [row for row in rows if row.parsed.content.after_post_id is not None]
    if not waiting:
        return {}, []
    await lock_chains(session, workspace_id)
    numbers = {row.parsed.content.external_id: row.number for row in rows if row.parsed.content.external_id}
    names = {row.after_external_id for row in waiting if row.after_external_id is not None}
    known = await find_known(session, workspace_id, names - numbers.keys())
    links = _Links({row.number: row for row in rows}, {}, {}, {})
    for row in waiting:
        if row.after_external_id is None:
            links.first_ids[row.number] = row.parsed.content.after_post_id
        elif row.after_external_id in numbers:
            links.first_rows[row.number] = numbers[row.after_external_id]
        elif row.after_external_id in known:
            links.first_ids[row.number] = known[row.after_external_id].id
        else:
            links.first_ids[row.number] = None
    links.ends = await chain_ends(
        session, workspace_id, {first for first in links.first_ids.values() if first is not None and is_post_id(first)}
    )
    problems: dict[int, Problem] = {}
    for row in waiting:
        if (first_id := links.first_ids.get(row.number)) is not None:
            row.parsed.content.after_post_id = first_id
        if problem := links.find_problem(row.number, now):
            problems[row.number] = _NO_ROW if links.first_ids.get(row.number, "") is None else problem
        await turn.pause()
    for _ in range(MOST_POSTS):
        # A row cannot wait for one that does not become a post.
        problems |= {
            number: _NO_ROW
            for number, first in links.first_rows.items()
            if first in problems and number not in problems
        }
    refused = [_refused(links.rows[number], problem, name) for number, problem in problems.items()]
    return links.first_rows, refused


def _refused(row: CheckedPost, problem: Problem, name: str) -> RefusedRow:
    param = _NAME if row.after_external_id is not None and problem.param in {None, _ID} else problem.param
    where = replace(replace(problem, param=param).within(f"{name}.{row.number}"), row=row.number)
    return RefusedRow(row.number, [where], row.parsed.content.external_id, row.digest, is_malformed=False)


def write_links(rows: Sequence[CheckedPost], posts: Sequence[NewPost], first_rows: Mapping[int, int]) -> None:
    """Write into the posts that rows become for which posts they wait, once all have ids."""
    ids = {row.number: post.columns["id"] for row, post in zip(rows, posts, strict=True)}
    for row, post in zip(rows, posts, strict=True):
        if row.parsed.content.after_post_id is not None:
            first_row = first_rows.get(row.number)
            post.columns["after_post_id"] = (
                ids[first_row] if first_row is not None else row.parsed.content.after_post_id
            )


async def take_slots(
    session: AsyncSession, workspace_id: str, rows: Sequence[ParsedPost], posts: Sequence[NewPost], name: str
) -> None:
    """Give the posts of rows the slots that these ask for, in their order, in the transaction that inserts them.

    Existing posts are locked before, and the campaigns that posts join. The contents of the rows get the times, too.
    `name`: what `param` calls the rows. Raises Unprocessable.
    """
    wishes = [(post, row.queue) for row, post in zip(rows, posts, strict=True) if row.queue is not None]
    try:
        await fill_slots(session, workspace_id, wishes, now_ms())
    except QueueFullError:
        sentence = (
            f"The rows ask for more slots of a queue than are free in the next {FARTHEST.days} days: nothing was done"
        )
        raise Unprocessable(Problem(sentence, "queue_full", name)) from None
    except QueueGoneError:
        raise Unprocessable(replace(UNKNOWN_QUEUE, param=name)) from None
    except UnknownZone:
        raise Unprocessable(replace(NO_QUEUE_ZONE, param=name)) from None
    for row, post in zip(rows, posts, strict=True):
        row.content.scheduled_for = post.columns["scheduled_for"]


async def build_posts(
    deps: Dependencies, workspace_id: str, actor: Actor, posts: Sequence[CheckedPost], size: int
) -> list[NewPost]:
    """Return the posts to insert, in their order, each with an id of its own. `size` is as in `check_rows`."""
    built_posts: list[NewPost] = []
    for begin in range(0, len(posts), SLICE):
        async with loop_share(size) as turn:
            for post in posts[begin : begin + SLICE]:
                built_posts.append(_build(deps, workspace_id, actor, post))
                await turn.pause()
            await turn.rest()
    return built_posts


def _build(deps: Dependencies, workspace_id: str, actor: Actor, post: CheckedPost) -> NewPost:
    post_id = new_id("post")
    new = new_columns(
        post_id,
        workspace_id,
        workflow_id(workspace_id, post_id, None),
        post.parsed.content,
        status=post.parsed.status,
        due_at=post.parsed.due_at,
        # Lists filter posts by the time in their ids, so `created_at` must be the same time.
        now=made_at(post_id),
        created_by=actor.id,
        external_digest=post.digest if post.parsed.content.external_id is not None else None,
    )
    warn_of_media_in(new, deps)
    return new


def total_bytes(posts: Sequence[NewPost]) -> int:
    """Return the size of posts as the limits of a workspace count it."""
    return sum(post.columns["answer_bytes"] for post in posts)


def deliver_due(deps: Dependencies, posts: Sequence[NewPost]) -> None:
    """Begin to deliver those of many inserted posts whose workflows must know them now, the soonest due first.

    The workers' sweep delivers the others at its pace, and these if this process ends.
    """
    soon = datetime.now(UTC) + BULK_LEAD
    due_posts = [post.columns for post in posts if post.columns["due_at"] and post.columns["due_at"] <= soon]
    due_posts.sort(key=lambda columns: columns["due_at"])
    deps.delivery.deliver_saved([columns["id"] for columns in due_posts])
