"""The query of an import: what its rows are part of, and what is done with wrong and known ones."""

from dataclasses import dataclass
from functools import partial

from api.http.body import JsonObject
from api.http.headers import HttpRequest
from api.http.operation import Json
from api.http.parameters import query
from api.http.query import convert_parameter, parse_choice, parse_flag, parse_query
from api.posts.filters import parse_zone
from domain.errors import Problem
from domain.imports import OnConflict, OnError, OnExisting


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
