"""Answer what is no HTTP in the API's own shape; a request that the server's parser refuses never reaches the app."""

from http import HTTPStatus

import uuid_utils
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.errors import error_response, error_type
from domain.errors import Problem

_UNREADABLE = Problem("The request is not valid HTTP; does a header hold a control character?", "invalid_request")


class ApiProtocol(HttpToolsProtocol):
    """Speak HTTP as uvicorn does, but for its own refusals, which are plain text."""

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
