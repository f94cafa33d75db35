"""The Graph API's manners: where the token goes, what an answer holds, and when a request may have had its effect."""

from typing import Any

import httpx

from platforms.base import Connection
from platforms.errors import Kind, NetworkError
from platforms.threads.settings import ThreadsCredentials

VERSION = "v1.0"

Line = Connection[ThreadsCredentials]
Fields = dict[str, str]


async def get(line: Line, path: str, **params: str) -> dict[str, Any]:
    """Read a node or an edge."""
    return _json(await _send(line, "GET", path, params=params))


async def get_list(line: Line, path: str, **params: str) -> list[dict[str, Any]]:
    """Read an edge. Raises NetworkError where it is none: that must not pass for an empty one."""
    found = (await get(line, path, **params)).get("data")
    if isinstance(found, list) and all(isinstance(each, dict) for each in found):
        return found
    raise NetworkError(Kind.TRANSIENT, "Threads answered in a way that cannot be read.", code="unreadable_answer")


async def post(line: Line, path: str, fields: Fields) -> str:
    """Make something that nobody sees yet; returns its id."""
    return _id(await _send(line, "POST", path, data=fields), Kind.TRANSIENT)


async def post_public(line: Line, path: str, fields: Fields) -> str:
    """Make something public; returns its id. Raises `unclear` wherever that may have happened.

    The Graph API reports failures of its own with status 400 too, and may have published by then.
    """
    try:
        answer = await _send(line, "POST", path, data=fields, public=True)
    except NetworkError as error:
        if error.status is not None and (error.status >= 500 or error.kind is Kind.TRANSIENT):
            raise error.as_unclear() from error
        raise
    return _id(answer, Kind.UNCLEAR)


async def _send(line: Line, method: str, path: str, **options: Any) -> httpx.Response:
    # A token in the query, which the Graph API takes too, would end up in every log on the way.
    headers = {"Authorization": f"Bearer {line.credentials.access_token.get_secret_value()}"}
    return await line.wire.send(method, f"/{VERSION}{path}", headers=headers, **options)


def _id(answer: httpx.Response, otherwise: Kind) -> str:
    made = _json(answer).get("id")
    if not made:
        raise NetworkError(otherwise, "Threads answered without an id.", code="no_id", status=answer.status_code)
    return str(made)


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
