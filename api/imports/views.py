"""The bodies, query, row results and answers of imports."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Annotated, Any, NotRequired, cast

from pydantic import ConfigDict, Field, WithJsonSchema
from typing_extensions import TypedDict

from api.errors import ProblemView, problem_view
from api.http.body import JsonObject
from api.http.headers import HttpRequest
from api.http.operation import Json
from api.http.parameters import query
from api.http.query import convert_parameter, encode_cursor, parse_choice, parse_flag, parse_query
from api.posts.bodies.schemas import RequestModel
from api.posts.listing import parse_zone
from api.posts.many.building import PlanWarningView
from api.posts.many.checking import MOST_PROBLEMS_OF_ROW, MOST_ROW_PROBLEMS, MOST_ROWS, CheckedPost, RefusedRow
from api.views import HasMore, Moment, NextCursor, described, example, view
from domain.errors import Problem
from domain.imports import OnConflict, OnError, OnExisting, RowOutcome, UndoOutcome
from domain.schedule import rfc3339

# A row is read as the body of a request for one post; the document shows its schema.
_Row = Annotated[dict[str, Any], WithJsonSchema({"$ref": "#/components/schemas/PostBody"})]


class ImportBody(RequestModel):
    """Posts to import, each as the body that creates it alone."""

    model_config = ConfigDict(title="ImportPosts")

    posts: list[_Row] = Field(min_length=1, max_length=MOST_ROWS, description="The posts.")


@view("CellChange")
class CellChangeView(TypedDict):
    """A cell of a row that changed since the row was last imported, or that differs if that is not known."""

    field: Annotated[str, described("The field.", "scheduledFor")]
    conflict: Annotated[bool, described("Whether the post itself was also changed in this field.", False)]
    post: NotRequired[Annotated[str | None, example("2030-12-02T09:00:00")]]
    """The beginning of the post's value; only in the response to the import."""
    row: NotRequired[Annotated[str | None, described("The beginning of the row's value.", "2030-12-03T09:00:00")]]


@view("ImportRow")
class ImportRowView(TypedDict):
    """The result of one row."""

    row: Annotated[int, described("Its line in the file, or its place in `posts`.", 2)]
    outcome: Annotated[RowOutcome, described("The outcome; with `dryRun`, the one that it would have.", "created")]
    id: Annotated[str | None, example("post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2")]
    """The post; null if there is none, or none yet."""
    externalId: NotRequired[Annotated[str, described("Your own id, if given.", "bf-001")]]
    scheduledFor: NotRequired[Annotated[Moment | None, described("The instant it is scheduled for.")]]
    changes: NotRequired[list[CellChangeView]]
    """The cells that changed, of a row whose post exists already."""
    errors: NotRequired[list[ProblemView]]
    """Why it failed; at most 10, and 1 after the 1,000th of an import."""


@view("Import")
class ImportView(TypedDict):
    """An import, and the outcome of its rows."""

    id: Annotated[str | None, described("The import; null with `dryRun`.", "imp_019bc10f27c07a7d4e9a54c1d9e3f0a1")]
    createdAt: Annotated[Moment, described("When it was carried out.")]
    total: Annotated[int, described("Its rows.", 3)]
    created: Annotated[int, described("Rows that became posts.", 1)]
    unchanged: Annotated[int, described("Rows of which no cell changed since they were last imported.", 1)]
    updated: Annotated[int, described("Rows whose posts have the changed cells now.", 0)]
    ignored: Annotated[int, example(0)]
    """Rows that changed, and whose posts stay as they are (`onExisting=keep`, `onConflict=keep`)."""
    failed: Annotated[int, described("Rows with problems, which were skipped.", 1)]
    results: Annotated[list[ImportRowView], described("At most 1,000 an answer, in the order of the rows.")]
    warnings: list[PlanWarningView]
    """Posts that may be late or refused because of others, of this import or of before; at most 100."""
    cursor: Annotated[NextCursor, Field(examples=["eyJhZnRlciI6MTAwMH0"])]
    hasMore: Annotated[HasMore, Field(examples=[False])]


@view("ImportSummary")
class ImportSummaryView(TypedDict):
    """An import without the outcome of its rows."""

    id: Annotated[str, described("The import.", "imp_019bc10f27c07a7d4e9a54c1d9e3f0a1")]
    createdAt: Annotated[Moment, described("When it was carried out.")]
    total: Annotated[int, described("Its rows.", 3)]
    created: Annotated[int, described("Rows that became posts.", 1)]
    unchanged: Annotated[int, described("Rows of which no cell changed.", 1)]
    updated: Annotated[int, described("Rows whose posts got changed cells.", 0)]
    ignored: Annotated[int, described("Rows that changed, and whose posts stayed as they were.", 0)]
    failed: Annotated[int, described("Rows with problems, which were skipped.", 1)]


@view("ImportList")
class ImportListView(TypedDict):
    """One page of imports."""

    imports: Annotated[list[ImportSummaryView], described("The newest first.")]
    cursor: Annotated[NextCursor, described("Send it back for the next page; null on the last.")]
    hasMore: HasMore


@view("UndonePost")
class UndonePostView(TypedDict):
    """The effect of undoing an import on one post."""

    id: Annotated[str, described("The post.", "post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2")]
    outcome: Annotated[UndoOutcome, described("The outcome; with `dryRun`, the one that it would have.", "deleted")]
    externalId: NotRequired[Annotated[str, described("Your own id, if it has one.", "bf-001")]]
    restored: NotRequired[Annotated[list[str], described("The fields that have their values again.", ["content"])]]
    changed: NotRequired[Annotated[list[str], example(["tags"])]]
    """Fields that were changed since the import, and stay as they are."""
    errors: NotRequired[Annotated[list[ProblemView], described("Why it stays as it is, if not because of `changed`.")]]


@view("ImportUndo")
class ImportUndoView(TypedDict):
    """The effect of undoing an import."""

    importId: Annotated[str, described("The import.", "imp_019bc10f27c07a7d4e9a54c1d9e3f0a1")]
    dryRun: Annotated[bool, described("Whether nothing was done.", False)]
    deleted: Annotated[int, described("Posts that the import had created, and that are deleted.", 1)]
    restored: Annotated[int, described("Posts that the import had changed, and that have their old values.", 1)]
    conflicts: Annotated[int, described("Posts that stay as they are, in whole or in part: see `results`.", 0)]
    gone: Annotated[int, example(0)]
    """Posts of the import that are deleted, undone before, or of which no old values are kept."""
    results: Annotated[list[UndonePostView], described("At most 1,000, first those that stay as they are.")]


@dataclass(frozen=True, slots=True)
class ImportQuery:
    """The manner in which an import is carried out. `campaign_id` and `timezone` are those of rows that name none."""

    campaign_id: str | None
    timezone: str | None
    dry_run: bool
    on_error: OnError
    on_existing: OnExisting
    on_conflict: OnConflict

    def completed(self, body: JsonObject) -> JsonObject:
        """Return the body of a row with what it leaves to the query."""
        # A slot of a queue is a time in the queue's zone.
        timezone = self.timezone if body.get("queue") is None else None
        defaults = {"campaignId": self.campaign_id, "timezone": timezone}
        return {name: value for name, value in defaults.items() if value is not None} | body


PARAMETERS: tuple[Json, ...] = (
    query(
        "campaignId",
        "The campaign of rows that name none. Its rules hold for them, and its time zone unless they have another.",
        {"type": "string"},
        "cmp_019bc10f27c07a7d4e9a54c1d9e3f0a1",
    ),
    query("timezone", "The IANA time zone of rows that name none.", {"type": "string"}, "Europe/Berlin"),
    query(
        "dryRun",
        "Check the rows and answer what would be done with them, with 200; nothing is created.",
        {"type": "boolean", "default": False},
        True,
    ),
    query(
        "onError",
        "What a row with a problem does: `refuse` the import, of which nothing is created, or `skip` the row alone. "
        "`skip` needs an `externalId` in every row, so that the corrected rows can be sent with the others again.",
        {"type": "string", "enum": list(OnError), "default": OnError.REFUSE.value},
        OnError.SKIP.value,
    ),
    query(
        "onExisting",
        "What is done with a row whose `externalId` belongs to a post that a row with other content has made: it is a "
        "problem (`refuse`), the post stays as it is (`keep`), or it gets the cells that changed since the row was "
        "last imported (`update`), if it may still be changed.",
        {"type": "string", "enum": list(OnExisting), "default": OnExisting.REFUSE.value},
        OnExisting.UPDATE.value,
    ),
    query(
        "onConflict",
        "What is done with a changed cell if the post itself was changed in the same field since the row was last "
        "imported, and with a row whose post was deleted: it is a problem that names both values (`refuse`), the post "
        "keeps its value or stays deleted (`keep`), or the row counts (`overwrite`).",
        {"type": "string", "enum": list(OnConflict), "default": OnConflict.REFUSE.value},
        OnConflict.KEEP.value,
    ),
)


def read_import_query(request: HttpRequest) -> tuple[ImportQuery, list[Problem]]:
    """Return how an import is carried out, and what is wrong with its query. Raises InvalidRequest."""
    values, problems = parse_query(request)
    import_query = ImportQuery(
        values.get("campaignId"),
        convert_parameter(values, problems, "timezone", _parse_zone),
        convert_parameter(values, problems, "dryRun", parse_flag) or False,
        convert_parameter(values, problems, "onError", partial(parse_choice, OnError)) or OnError.REFUSE,
        convert_parameter(values, problems, "onExisting", partial(parse_choice, OnExisting)) or OnExisting.REFUSE,
        convert_parameter(values, problems, "onConflict", partial(parse_choice, OnConflict)) or OnConflict.REFUSE,
    )
    return import_query, problems


def _parse_zone(name: str) -> str:
    parse_zone(name)
    return name


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
