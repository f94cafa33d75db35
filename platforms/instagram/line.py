"""The Graph API's manners: where the token goes, what an answer holds, and when a request may have had its effect."""

from typing import Any

import httpx

from platforms.base import Connection
from platforms.errors import Kind, NetworkError
from platforms.instagram.fields import Fields
from platforms.instagram.settings import InstagramCredentials

GRAPH_VERSION = "v25.0"

Line = Connection[InstagramCredentials]


async def get(line: Line, path: str, **params: str) -> dict[str, Any]:
    """Read a node or an edge."""
    return _json(await _send(line, "GET", path, params=params))


async def post(line: Line, path: str, fields: Fields) -> str:
    """Make something that nobody sees yet; returns its id."""
    return _id(await _send(line, "POST", path, data=fields), Kind.TRANSIENT)


async def post_public(line: Line, path: str, fields: Fields) -> str:
    """Make something public; returns its id. Raises `unclear` wherever that may have happened.

    Instagram reports failures of its own with status 400 too, and may have published by then.
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
    token = line.credentials.access_token.get_secret_value()
    headers = {"Authorization": f"Bearer {token}"}
    return await line.wire.send(method, f"/{GRAPH_VERSION}{path}", headers=headers, **options)


def _id(answer: httpx.Response, otherwise: Kind) -> str:
    made = _json(answer).get("id")
    if not made:
        raise NetworkError(otherwise, "Instagram answered without an id.", code="no_id", status=answer.status_code)
    return str(made)


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
