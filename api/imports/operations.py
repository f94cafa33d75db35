"""The operations on imports, as the API routes them and its document describes them."""

from api.http.large_body import LARGE_BYTES
from api.http.operation import Operation
from api.http.parameters import KEY, cursor, page, query, required
from api.imports.bodies import ImportBody
from api.imports.query import PARAMETERS
from api.imports.views import ImportListView, ImportUndoView, ImportView
from api.posts.many.checking import MOST_ROWS

_LINES = (
    '{"externalId": "bf-001", "content": "Black Friday, offer 1", "platforms": [{"platform": "twitter", "accountId": '
    '"tw_456"}], "scheduledFor": "2030-12-01T09:00"}\n'
    '{"externalId": "bf-002", "content": "Did you see it?", "platforms": [{"platform": "twitter", "accountId": '
    '"tw_456"}], "after": {"externalId": "bf-001", "delay": "PT2H"}}\n'
    '{"externalId": "bf-003", "content": "A draft", "isDraft": true}\n'
)
_CSV = (
    "externalId,content,platforms,mediaItems,scheduledFor,tags\n"
    'bf-001,"Offer 1,\ntoday",twitter:tw_456 instagram:ig_123,https://example.com/1.gif,2030-12-01T09:00,"bf, x"\n'
    "bf-002,Offer 2,twitter:tw_456,,2030-12-02T09:00,bf\n"
)

CREATE_IMPORT = Operation(
    route="POST /v1/imports",
    description=(
        f"Up to {MOST_ROWS:,} posts and {LARGE_BYTES // 2**20} MiB, as JSON, as newline-delimited JSON or as CSV. All "
        "posts are created in one transaction, or none: if a row is wrong, nothing is, and all problems are listed by "
        "row. Rows are scheduled posts or drafts; `publishNow` is refused. A row of which no cell changed since it "
        "was last imported is left unchanged, so a corrected file can be sent again. The workflows of "
        "posts that are not due soon are started within some minutes; nothing waits for that. One import of a "
        "workspace is carried out at a time. Each row that creates or changes a post counts as a post of the workspace."
    ),
    answer=ImportView,
    errors=(
        *("wrongRow", "wrongColumn", "wrongFile", "invalidJson", "keyMissing", "wrongQuery", "unknownQuery"),
        *("tooLargeImport", "noRows", "refusedRow", "keyReused", "otherImport"),
    ),
    status=201,
    other_status=200,
    body=ImportBody,
    texts={"application/x-ndjson": _LINES, "text/csv": _CSV},
    most_bytes=LARGE_BYTES,
    parameters=(required(KEY), *PARAMETERS),
)
LIST_IMPORTS = Operation(
    route="GET /v1/imports",
    description="The newest first, of the last 30 days, without the outcomes of their rows.",
    answer=ImportListView,
    errors=("unknownQuery", "wrongQuery"),
    parameters=page("imports"),
)
GET_IMPORT = Operation(
    route="GET /v1/imports/{importId}",
    description="The outcome of each row, 1,000 an answer. It can be read for 30 days.",
    answer=ImportView,
    errors=("unknownQuery", "wrongQuery", "importNotFound"),
    parameters=(cursor(),),
)
UNDO_IMPORT = Operation(
    route="POST /v1/imports/{importId}/undo",
    description=(
        "Deletes the posts that the import created, and restores the fields that it changed, in one transaction. A "
        "post whose publishing has begun stays, and so does whatever was changed since: the results name it. "
        "Possible for 30 days; changes of posts by the newest 20 imports of the workspace only."
    ),
    answer=ImportUndoView,
    errors=("unknownQuery", "wrongQuery", "importNotFound", "keyReused", "otherImport"),
    parameters=(
        KEY,
        query(
            "dryRun",
            "Answer what would be done, and do nothing.",
            {"type": "boolean", "default": False},
            True,
        ),
    ),
)
