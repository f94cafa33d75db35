"""Dates in examples: a post can be scheduled for each, this month and the next."""

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from api.openapi.document import document
from domain.schedule import horizon
from tests.docs.test_documents import DOCUMENTS

_DUE = re.compile(r"""(?:scheduledFor|scheduledFrom|scheduledTo|shiftTo)["=: ]+(\d{4}-\d{2}-\d{2})""")
_INSTANT = re.compile(r"(?:Z|[+-]\d{2}:?\d{2})$")


def request_bodies(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        if "scheduledFor" in value:
            yield value
        value = list(value.values())
    if isinstance(value, list):
        for part in value:
            yield from request_bodies(part)


def bodies_of_the_document() -> list[dict[str, Any]]:
    operations = [operation for methods in document()["paths"].values() for operation in methods.values()]
    bodies = [operation["requestBody"] for operation in operations if "requestBody" in operation]
    contents = [body["content"]["application/json"] for body in bodies if "application/json" in body["content"]]
    return list(request_bodies([content["examples"] for content in contents]))


def check_ahead(day: str) -> None:
    now = datetime.now(UTC)
    assert now + timedelta(days=31) < datetime.fromisoformat(day).replace(tzinfo=UTC) < horizon(now), day


def test_examples_of_requests_schedule_for_times_ahead() -> None:
    bodies = bodies_of_the_document()
    times = [body["scheduledFor"] for body in bodies if body["scheduledFor"]]
    assert len(times) > 4
    for time in times:
        check_ahead(time[:10])
    for day in _DUE.findall(json.dumps(document()["components"])):
        check_ahead(day)


def test_examples_of_requests_name_a_zone_or_an_offset_but_not_both() -> None:
    both = [
        body for body in bodies_of_the_document() if "timezone" in body and _INSTANT.search(body["scheduledFor"] or "")
    ]
    assert both == []


def test_examples_of_documents_schedule_for_times_ahead() -> None:
    for path in DOCUMENTS:
        if "adr" not in path.parts:
            for day in _DUE.findall(path.read_text()):
                check_ahead(day)
