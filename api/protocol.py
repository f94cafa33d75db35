"""Answer what is no HTTP in the API's own shape; a request that the server's parser refuses never reaches the app."""

from http import HTTPStatus
from typing import Any

import uuid_utils
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.errors import error_response, error_type
from domain.errors import Problem

_UNREADABLE = Problem("The request is not valid HTTP; does a header hold a control character?", "invalid_request")


KEEP_ALIVE_S = 75
"""For how long a connection may idle. Clients and proxies shall be first to give one up (httpx after 5 s, nginx and
most load balancers after 60 s): of a request that meets a connection being closed, nobody knows whether it has come."""


class ApiProtocol(HttpToolsProtocol):
    """Speak HTTP as uvicorn does, but for its own refusals, which are plain text, and with more patience."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.timeout_keep_alive = KEEP_ALIVE_S

    def send_400_response(self, msg: str) -> None:
        """Refuse what cannot be parsed, and close: where the next request would begin is unknown."""
        answer = error_response(400, [_UNREADABLE], error_type(400))
        head = (
            f"HTTP/1.1 400 {HTTPStatus(400).phrase}",
            "content-type: application/json",
            f"content-length: {len(answer.content)}",
            "connection: close",
            f"x-request-id: {uuid_utils.uuid7().hex}",
        )
        self.transport.write("\r\n".join((*head, "", "")).encode("ascii") + answer.content)
        self.transport.close()
