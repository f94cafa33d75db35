"""The bodies and answers of imports."""

from typing import Annotated, Any, NotRequired

from pydantic import ConfigDict, Field, WithJsonSchema
from typing_extensions import TypedDict

from api.errors import ProblemView
from api.posts.bodies.schemas import RequestModel
from api.posts.many.checking import MOST_ROWS
from api.posts.many.warnings import PlanWarningView
from api.views import HasMore, Moment, NextCursor, described, view
from domain.imports import RowOutcome, UndoOutcome

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
    post: NotRequired[
        Annotated[
            str | None,
            described("The beginning of the post's value; only in the response to the import.", "2030-12-02T09:00:00"),
        ]
    ]
    row: NotRequired[Annotated[str | None, described("The beginning of the row's value.", "2030-12-03T09:00:00")]]


@view("ImportRow")
class ImportRowView(TypedDict):
    """The result of one row."""

    row: Annotated[int, described("Its line in the file, or its place in `posts`.", 2)]
    outcome: Annotated[RowOutcome, described("The outcome; with `dryRun`, the one that it would have.", "created")]
    id: Annotated[
        str | None,
        described("The post; null if there is none, or none yet.", "post_019bb0f27c3a7d4e9a54c1d9e3f0a1b2"),
    ]
    externalId: NotRequired[Annotated[str, described("Your own id, if given.", "bf-001")]]
    scheduledFor: NotRequired[Annotated[Moment | None, described("The instant it is scheduled for.")]]
    changes: NotRequired[
        Annotated[list[CellChangeView], described("The cells that changed, of a row whose post exists already.")]
    ]
    errors: NotRequired[
        Annotated[list[ProblemView], described("Why it failed; at most 10, and 1 after the 1,000th of an import.")]
    ]


@view("Import")
class ImportView(TypedDict):
    """An import, and the outcome of its rows."""

    id: Annotated[str | None, described("The import; null with `dryRun`.", "imp_019bc10f27c07a7d4e9a54c1d9e3f0a1")]
    createdAt: Annotated[Moment, described("When it was carried out.")]
    total: Annotated[int, described("Its rows.", 3)]
    created: Annotated[int, described("Rows that became posts.", 1)]
    unchanged: Annotated[int, described("Rows of which no cell changed since they were last imported.", 1)]
    updated: Annotated[int, described("Rows whose posts have the changed cells now.", 0)]
    ignored: Annotated[
        int, described("Rows that changed, and whose posts stay as they are (`onExisting=keep`, `onConflict=keep`).", 0)
    ]
    failed: Annotated[int, described("Rows with problems, which were skipped.", 1)]
    results: Annotated[list[ImportRowView], described("At most 1,000 an answer, in the order of the rows.")]
    warnings: Annotated[
        list[PlanWarningView],
        described("Posts that may be late or refused because of others, of this import or of before; at most 100."),
    ]
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
    changed: NotRequired[
        Annotated[list[str], described("Fields that were changed since the import, and stay as they are.", ["tags"])]
    ]
    errors: NotRequired[Annotated[list[ProblemView], described("Why it stays as it is, if not because of `changed`.")]]


@view("ImportUndo")
class ImportUndoView(TypedDict):
    """The effect of undoing an import."""

    importId: Annotated[str, described("The import.", "imp_019bc10f27c07a7d4e9a54c1d9e3f0a1")]
    dryRun: Annotated[bool, described("Whether nothing was done.", False)]
    deleted: Annotated[int, described("Posts that the import had created, and that are deleted.", 1)]
    restored: Annotated[int, described("Posts that the import had changed, and that have their old values.", 1)]
    conflicts: Annotated[int, described("Posts that stay as they are, in whole or in part: see `results`.", 0)]
    gone: Annotated[
        int, described("Posts of the import that are deleted, undone before, or of which no old values are kept.", 0)
    ]
    results: Annotated[list[UndonePostView], described("At most 1,000, first those that stay as they are.")]
