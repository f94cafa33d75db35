"""Warnings about many posts together: more than an account may publish, and texts that its platform refuses twice."""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from itertools import islice
from typing import Annotated, NotRequired

from sqlalchemy.ext.asyncio import AsyncSession
from typing_extensions import TypedDict

from api.posts.campaign_rules import DAY, day_limit
from api.posts.many.checking import CheckedPost
from api.views import PlatformName, described, view
from domain.codes import ProblemCode
from domain.content import PostContent, TargetContent
from domain.loop_share import LoopShare, loop_share
from domain.request_limits import RateLimit
from domain.schedule import ScheduledTime, zone_named
from platforms.registry import platforms
from store.posts.counts import count_planned

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
    planned: Annotated[
        int, described("The posts that are planned for it, those of before included; else the rows.", 151)
    ]
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
