"""An example of every error that the API can answer with. A test finds the sentence of each in the code."""

import csv
from pathlib import Path

from api.errors import error_type
from api.http.operation import Json

_TARGETS = ({"platform": "instagram", "accountId": "ig_123"}, {"platform": "twitter", "accountId": "tw_456"})
"""The targets of the contract's example."""


def error(status: int, sentence: str, code: str, param: str | None = None) -> Json:
    """Return an error's body as it is answered; the post's targets are those of the contract's example."""
    body: Json = {
        "error": sentence,
        "type": error_type(status, idempotency=code.startswith("idempotency")),
        "code": code,
    }
    if param:
        body["param"] = param
    problem: Json = {"error": sentence, "code": code, "param": param}
    if code == "external_id_taken":
        body["postId"] = problem["postId"] = sentence.partition(" ")[0]
    if param and param.startswith("rows."):
        problem["row"] = int(param.split(".")[1])
    if param and (param == "mediaItems" or param.startswith("platforms.")):
        problem |= _TARGETS[int(param.split(".")[1]) if "." in param else 0]
    return {**body, "errors": [problem]}


def _read() -> dict[str, tuple[int, Json]]:
    with Path(__file__).with_name("errors.csv").open(newline="", encoding="utf-8") as file:
        return {
            row["name"]: (
                int(row["status"]),
                error(int(row["status"]), row["sentence"], row["code"], row["param"] or None),
            )
            for row in csv.DictReader(file)
        }


ERRORS = _read()
"""By name: the status and body of each error, for the operations that can answer with it."""
