"""The results of an import's rows, and the answer that shows them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, cast

from api.errors import ProblemView, problem_view
from api.http.cursors import encode_cursor
from api.imports.views import CellChangeView, ImportListView, ImportRowView, ImportSummaryView, ImportView
from api.posts.many.checking import MOST_PROBLEMS_OF_ROW, MOST_ROW_PROBLEMS, CheckedPost, RefusedRow
from domain.errors import Problem
from domain.imports import RowOutcome
from domain.schedule import rfc3339

NO_IMPORT = Problem("This workspace has no such import", "not_found")
PAGE = 1_000
"""Results of one answer."""


class RowResults:
    """The outcomes of the rows of an import."""

    def __init__(self) -> None:
        self._views: list[ImportRowView] = []
        self._problems = 0

    def add(
        self, post: CheckedPost, outcome: RowOutcome, post_id: str | None, changes: Sequence[CellChangeView] = ()
    ) -> None:
        """Add the result of a row that is sound, with the cells in which it differs from its post."""
        content = post.parsed.content
        result = self._add(post.number, outcome, post_id, content.external_id)
        result["scheduledFor"] = rfc3339(content.scheduled_for) if content.scheduled_for else None
        if changes:
            result["changes"] = list(changes)

    def add_existing(self, row: RefusedRow, outcome: RowOutcome, post_id: str) -> None:
        """Add the result of a row that would be refused today, and whose post exists."""
        self._add(row.number, outcome, post_id, row.external_id)

    def add_refused(self, row: RefusedRow) -> None:
        """Add the result of a row that was skipped."""
        shown = row.problems[: MOST_PROBLEMS_OF_ROW if self._problems < MOST_ROW_PROBLEMS else 1]
        self._problems += len(shown)
        result = self._add(row.number, RowOutcome.FAILED, None, row.external_id)
        result["errors"] = [_storable(problem_view(problem)) for problem in shown]

    def _add(self, number: int, outcome: RowOutcome, post_id: str | None, external_id: str | None) -> ImportRowView:
        result = ImportRowView(row=number, outcome=outcome, id=post_id)
        if external_id is not None:
            result["externalId"] = external_id
        self._views.append(result)
        return result

    @property
    def views(self) -> list[ImportRowView]:
        """Return the results in the order of the rows."""
        return sorted(self._views, key=lambda result: result["row"])

    @property
    def counts(self) -> dict[str, int]:
        """Return the number of rows with each outcome."""
        counts = Counter(result["outcome"] for result in self._views)
        return {outcome.value: counts[outcome] for outcome in RowOutcome}


def _storable(view: ProblemView) -> ProblemView:
    """Return a problem without NUL, which a row may have in a field's name and PostgreSQL does not keep."""
    view["error"] = view["error"].replace("\0", "\N{REPLACEMENT CHARACTER}")
    view["param"] = view["param"] and view["param"].replace("\0", "\N{REPLACEMENT CHARACTER}")
    return view


def import_view(
    import_id: str | None,
    created_at: datetime,
    counts: Mapping[str, int],
    warnings: Sequence[Any],
    results: Sequence[Any],
    begin: int = 0,
) -> ImportView:
    """Return an import with the first PAGE of these results, which begin at a place among all."""
    end, total = begin + PAGE, sum(counts.values())
    cursor = encode_cursor({"after": end}) if end < total else None
    return ImportView(
        id=import_id,
        createdAt=rfc3339(created_at),
        total=total,
        created=counts[RowOutcome.CREATED],
        unchanged=counts[RowOutcome.UNCHANGED],
        updated=counts[RowOutcome.UPDATED],
        ignored=counts[RowOutcome.IGNORED],
        failed=counts[RowOutcome.FAILED],
        results=cast("list[ImportRowView]", list(results[:PAGE])),
        warnings=list(warnings),
        cursor=cursor,
        hasMore=cursor is not None,
    )


def import_list(rows: Sequence[Any], limit: int) -> ImportListView:
    """Return the page of imports whose ids, times and counts these are; one more than `limit` if there are more."""
    imports = [
        ImportSummaryView(
            id=import_id,
            createdAt=rfc3339(created_at),
            total=sum(counts.values()),
            created=counts[RowOutcome.CREATED],
            unchanged=counts[RowOutcome.UNCHANGED],
            updated=counts[RowOutcome.UPDATED],
            ignored=counts[RowOutcome.IGNORED],
            failed=counts[RowOutcome.FAILED],
        )
        for import_id, created_at, counts in rows[:limit]
    ]
    cursor = encode_cursor({"id": imports[-1]["id"]}) if len(rows) > limit else None
    return ImportListView(imports=imports, cursor=cursor, hasMore=cursor is not None)
