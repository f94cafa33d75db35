"""The Graph API's manners: where the token goes, what an answer holds, and when a request may have had its effect."""

from typing import Any

import httpx

from platforms.base import Connection
from platforms.errors import Kind, NetworkError
from platforms.facebook.settings import FacebookCredentials
from platforms.multipart import Form

GRAPH_VERSION = "v25.0"

Line = Connection[FacebookCredentials]
Fields = dict[str, str]


async def get(line: Line, path: str, **params: str) -> dict[str, Any]:
    """Read a node or an edge."""
    return _json(await _send(line, "GET", path, params=params))


async def post(line: Line, path: str, fields: Fields) -> dict[str, Any]:
    """Make something that nobody sees yet."""
    return _json(await _send(line, "POST", path, data=fields))


async def post_form(line: Line, path: str, form: Form) -> dict[str, Any]:
    """Upload a file that nobody sees yet."""
    return _json(await _send(line, "POST", path, headers=form.headers, content=form))


async def post_public(line: Line, path: str, fields: Fields, *, read: str | None = None) -> dict[str, Any]:
    """Make something public; `read` names what the answer shall hold of it. Raises `unclear` where it may be public.

    The Graph API reports failures of its own with status 400 too, and may have published by then.
    """
    params = {"fields": read} if read else None
    try:
        return _json(await _send(line, "POST", path, data=fields, params=params, public=True))
    except NetworkError as error:
        if error.status is not None and (error.status >= 500 or error.kind is Kind.TRANSIENT):
            raise error.as_unclear() from error
        raise


def text_of(answer: dict[str, Any], name: str, *, otherwise: Kind = Kind.TRANSIENT) -> str:
    """Return a value that an answer must have. Raises NetworkError where it is missing."""
    value = answer.get(name)
    if not value:
        raise NetworkError(otherwise, "Facebook answered in a way that cannot be read.", code="unreadable_answer")
    return str(value)


def list_of(answer: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what an edge lists. Raises NetworkError where it is no list: that must not pass for an empty one."""
    data = answer.get("data")
    if isinstance(data, list):
        return data
    raise NetworkError(Kind.TRANSIENT, "Facebook answered in a way that cannot be read.", code="unreadable_answer")


async def _send(line: Line, method: str, path: str, **options: Any) -> httpx.Response:
    # A token in the query, which the Graph API takes too, would end up in every log on the way.
    token = {"Authorization": f"Bearer {line.credentials.access_token.get_secret_value()}"}
    headers = {**options.pop("headers", {}), **token}
    return await line.wire.send(method, f"/{GRAPH_VERSION}{path}", headers=headers, **options)


def _json(answer: httpx.Response) -> dict[str, Any]:
    try:
        body = answer.json()
    except ValueError:
        return {}
    return body if isinstance(body, dict) else {}
