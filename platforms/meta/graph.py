"""The Graph API: where the token goes, what a response contains, and when a request may have had its effect."""

import hashlib
import hmac
from dataclasses import dataclass
from datetime import date
from typing import Any

import httpx
from pydantic import SecretStr

from domain.request_limits import Quota
from platforms.base import ApiVersion, Connection
from platforms.client_model import ClientModel
from platforms.errors import ErrorKind, PlatformError, unreadable
from platforms.http.answers import ListAt
from platforms.http.multipart import FilePart, MultipartForm
from platforms.http.untrusted import count
from platforms.http.wire import json_object


class MetaCredentials(ClientModel):
    """An access token, and the app that it was issued to.

    With the app's secret, every call carries a proof of it. Apps with the option "Require app secret" refuse calls
    without one; all others accept it.
    """

    access_token: SecretStr
    client_id: str | None = None
    client_secret: SecretStr | None = None


NO_PROOF = "app_secret"
"""Our code for refusals of calls without the right proof of the app's secret."""


def app_proof(credentials: MetaCredentials) -> dict[str, str]:
    """Return the parameter that proves the app's secret; none if the secret is not known.

    Source: developers.facebook.com/docs/graph-api/guides/secure-requests.
    """
    if credentials.client_secret is None:
        return {}
    key, token = credentials.client_secret.get_secret_value(), credentials.access_token.get_secret_value()
    return {"appsecret_proof": hmac.new(key.encode(), token.encode(), hashlib.sha256).hexdigest()}


def read_quota(quotas: Any, label: str, of: str = "") -> Quota:
    """Return the quota in a response of Meta's edges on publishing limits. Raises PlatformError if it is unreadable.

    `of` is the prefix of a separate limit's fields, such as "reply_".
    """
    try:
        used, total = quotas[0][f"{of}quota_usage"], quotas[0][f"{of}config"]["quota_total"]
        most = int(total)
        return Quota(count(most - int(used)) or 0, limit=count(most))
    except (LookupError, TypeError, ValueError, OverflowError) as error:
        message = f"{label} did not say how many posts are left."
        raise PlatformError(ErrorKind.TRANSIENT, message, code="unreadable_answer") from error


Fields = dict[str, str]
Answer = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Graph:
    """A client of one version of the Graph API."""

    version: str

    async def get(self, connection: Connection[Any], path: str, **params: str) -> Answer:
        """Read a node or an edge."""
        return json_object(await self._send(connection, "GET", path, params=params | app_proof(connection.credentials)))

    async def get_list(self, connection: Connection[Any], path: str, **params: str) -> list[Answer]:
        """Read an edge. Raises PlatformError if it is none: that must not pass for an empty one."""
        query = params | app_proof(connection.credentials)
        answer = json_object(await self._send(connection, "GET", path, params=query, listed=ListAt(("data",))))
        entries = answer.get("data")
        if isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries):
            return entries
        raise unreadable(connection.wire.label)

    async def post(self, connection: Connection[Any], path: str, fields: Fields) -> Answer:
        """Make an object that is not public yet."""
        return json_object(await self._send(connection, "POST", path, data=fields | app_proof(connection.credentials)))

    async def post_file(
        self, connection: Connection[Any], path: str, fields: Fields, part: FilePart, *, host: str = ""
    ) -> Answer:
        """Upload a file that is not public yet; `host` is the base URL of another host than the usual one."""
        form = MultipartForm(fields | app_proof(connection.credentials), [part])
        return json_object(await self._send(connection, "POST", path, host=host, headers=form.headers, content=form))

    async def delete(self, connection: Connection[Any], path: str) -> Answer:
        """Delete a node."""
        return json_object(await self._send(connection, "DELETE", path))

    async def post_public(
        self, connection: Connection[Any], path: str, fields: Fields, *, read: str | None = None
    ) -> Answer:
        """Make something public; `read` names the fields that the response must contain.

        Raises PlatformError, `unconfirmed` if it may be public.
        """
        params = {"fields": read} if read else None
        data = fields | app_proof(connection.credentials)
        return json_object(await self._send(connection, "POST", path, data=data, params=params, public=True))

    async def _send(
        self, connection: Connection[Any], method: str, path: str, *, host: str = "", **options: Any
    ) -> httpx.Response:
        # The Graph API accepts a token in the query, too, but then every log on the way would contain it.
        token = {"Authorization": f"Bearer {connection.credentials.access_token.get_secret_value()}"}
        headers = {**options.pop("headers", {}), **token}
        return await connection.wire.send(method, f"{host}/{self.version}{path}", headers=headers, **options)


API = ApiVersion("v25.0", date(2028, 7, 29), "Graph API changelog, October 29, 2026")
GRAPH = Graph(API.name)
"""The version by which Facebook and Instagram are called; Threads has versions of its own."""


def required_text(connection: Connection[Any], answer: Answer, name: str, *, public: bool = False) -> str:
    """Return a value that a response must have. Raises PlatformError if it is missing."""
    if value := answer.get(name):
        return str(value)
    raise unreadable(connection.wire.label, public=public)
