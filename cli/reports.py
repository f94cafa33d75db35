"""Lists and counts of posts for operators."""

import csv
import io
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic.alias_generators import to_camel
from sqlalchemy.ext.asyncio import AsyncSession

from cli.environment import find_environment, open_database
from cli.errors import UserError
from cli.workspaces import existing_workspace
from domain.plan import WaitsFor
from domain.schedule import rfc3339
from reconcile.doctor.waiting import BEGUN_WITHIN
from runtime.settings import Settings
from store.maintenance.reports import WaitingTarget, outcomes_since, waiting_targets
from store.maintenance.waiting import count_late, count_waiting

_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_LONGEST = timedelta(days=3650)
_WAITING = [to_camel(field.name) for field in fields(WaitingTarget)]


def parse_age(text: str) -> timedelta:
    """Return the duration that `30m`, `12h`, `7d` or `2w` names. Raises UserError."""
    match = re.fullmatch(r"([0-9]{1,6})([mhdw])", text)
    age = int(match[1]) * _UNITS[match[2]] if match else timedelta(0)
    if not timedelta(0) < age <= _LONGEST:
        raise UserError(f"{text!r} is no length of time. Give one such as 30m, 12h, 7d or 2w.")
    return age


@dataclass(frozen=True, slots=True)
class WaitingList:
    """The targets that are due and wait, and what the list leaves out, in sentences."""

    rows: list[dict[str, Any]]
    notes: list[str]


async def waiting(
    data_dir: Path | None, workspace: str | None, platform: str | None, reason: WaitsFor | None, most: int
) -> WaitingList:
    """Return at most `most` targets that are due and wait, of all workspaces unless one is named. Raises UserError."""
    async with _session(data_dir, workspace) as (session, workspace_id):
        targets = await waiting_targets(session, most, workspace_id=workspace_id, platform=platform, reason=reason)
        counts = await count_waiting(session, workspace_id)
        not_begun = await count_late(session, datetime.now(UTC) - BEGUN_WITHIN, workspace_id)
    rows = [{to_camel(name): _plain(value) for name, value in asdict(target).items()} for target in targets]
    notes = []
    matching = sum(
        waiting.count
        for (its_platform, its_reason), waiting in counts.items()
        if platform in {None, its_platform} and reason in {None, its_reason}
    )
    if len(rows) == most and matching > most:
        notes.append(f"These are {most:,} of {matching:,} targets: --limit prints more.")
    if not_begun:
        subject = "1 post is" if not_begun == 1 else f"{not_begun:,} posts are"
        notes.append(f"{subject} due and not begun, which this list leaves out: `socialsyncer doctor` says why.")
    return WaitingList(rows, notes)


async def report(data_dir: Path | None, workspace: str | None, since: str) -> list[dict[str, Any]]:
    """Return the outcomes of targets due since a time, counted by platform, status and code. Raises UserError."""
    begin = datetime.now(UTC) - parse_age(since)
    async with _session(data_dir, workspace) as (session, workspace_id):
        outcomes = await outcomes_since(session, begin, workspace_id)
    return [{to_camel(name): value for name, value in asdict(outcome).items()} for outcome in outcomes]


def as_table(rows: list[dict[str, Any]]) -> list[str]:
    """Return lines with one column for each name, and a dash for a value that a row lacks."""
    if not rows:
        return ["Nothing."]
    names = list(rows[0])
    cells = [names, *([("-" if row[name] is None else str(row[name])) for name in names] for row in rows)]
    widths = [max(len(line[column]) for line in cells) for column in range(len(names))]
    return ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells]


def as_decisions(rows: list[dict[str, Any]]) -> str:
    """Return a CSV of waiting targets, with empty columns for a person's decisions (`cli.decisions`)."""
    text = io.StringIO()
    lines = csv.DictWriter(text, [*_WAITING, "outcome", "platformPostId"], restval="", lineterminator="\n")
    lines.writeheader()
    lines.writerows(rows)
    return text.getvalue().removesuffix("\n")


def _plain(value: object) -> object:
    return rfc3339(value) if isinstance(value, datetime) else value


@asynccontextmanager
async def _session(data_dir: Path | None, workspace: str | None) -> AsyncIterator[tuple[AsyncSession, str | None]]:
    """Open a reading transaction. Raises UserError if there is no such workspace."""
    async with open_database(find_environment(data_dir, Settings)) as database, database.reading() as session:
        yield session, None if workspace is None else await existing_workspace(session, workspace)
