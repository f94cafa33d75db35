"""What twins read and write: a request as it came in, and an answer as it goes out."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

import msgspec

Field = str | bytes
"""A form field: text, or the bytes of a file."""

Headers = list[tuple[bytes, bytes]]

_FIELD_NAME = re.compile(rb'\bname="([^"]*)"')
_FILE_NAME = re.compile(rb"\bfilename\*?=")


class MalformedBodyError(ValueError):
    """The body is not what its content type says."""


class Request:
    """Hold one request to a network.

    `path` is the network's own, without the sandbox's prefix and still percent-encoded; `params` are the decoded
    parts of it that the route's template names.
    """

    __slots__ = ("_form", "_query", "base_url", "body", "headers", "method", "params", "path", "query_string")

    def __init__(
        self, method: str, path: str, query_string: bytes, headers: Headers, body: bytes, base_url: str = ""
    ) -> None:
        self.method = method
        self.path = path
        self.query_string = query_string
        self.headers = headers
        self.body = body
        self.base_url = base_url
        self.params: dict[str, str] = {}
        self._query: dict[str, str] | None = None
        self._form: list[tuple[str, Field]] | None = None

    def header(self, name: str) -> str:
        """Return a header's value, or an empty string; `name` is in lower case."""
        wanted = name.encode()
        for key, value in self.headers:
            if key == wanted:
                return value.decode("latin-1")
        return ""

    @property
    def bearer(self) -> str:
        """Return the token of the Authorization header, or an empty string."""
        scheme, _, token = self.header("authorization").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    @property
    def query(self) -> dict[str, str]:
        """Return the query's parameters; of a repeated one the last counts."""
        if self._query is None:
            self._query = dict(parse_qsl(self.query_string.decode("latin-1"), keep_blank_values=True))
        return self._query

    @property
    def is_json(self) -> bool:
        """Tell whether the body claims to be JSON."""
        return "json" in self.header("content-type")

    def json(self) -> Any:
        """Return the body read as JSON; raises MalformedBodyError."""
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise MalformedBodyError(str(error)) from error

    def fields(self) -> list[tuple[str, Field]]:
        """Return the body's form fields in order; empty where the body is no form."""
        if self._form is None:
            self._form = self._read_form()
        return self._form

    def form(self) -> dict[str, Field]:
        """Return the body's form fields by name; of a repeated one the last counts."""
        return dict(self.fields())

    def _read_form(self) -> list[tuple[str, Field]]:
        content_type = self.header("content-type")
        if content_type.startswith("application/x-www-form-urlencoded"):
            text = self.body.decode("utf-8", "replace")
            return [(name, value) for name, value in parse_qsl(text, keep_blank_values=True)]
        if content_type.startswith("multipart/"):
            _, found, boundary = content_type.partition("boundary=")
            if not found:
                raise MalformedBodyError("multipart without a boundary")
            return list(_multipart(self.body, boundary.split(";")[0].strip().strip('"').encode()))
        return []


def _multipart(body: bytes, boundary: bytes) -> list[tuple[str, Field]]:
    fields: list[tuple[str, Field]] = []
    for part in body.split(b"--" + boundary)[1:-1]:
        head, _, content = part.partition(b"\r\n\r\n")
        name = _FIELD_NAME.search(head)
        if name is None:
            raise MalformedBodyError("a part without a name")
        content = content.removesuffix(b"\r\n")
        is_file = _FILE_NAME.search(head) or b"application/octet-stream" in head.lower()
        fields.append((unquote(name[1].decode("utf-8", "replace")), content if is_file else _text(content)))
    return fields


def _text(content: bytes) -> Field:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content


class Answer:
    """Be what goes back: a status, headers and a body that is already encoded."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, body: bytes = b"", headers: Headers | None = None) -> None:
        self.status = status
        self.body = body
        self.headers = headers if headers is not None else []

    @classmethod
    def json(
        cls,
        payload: object,
        status: int = 200,
        headers: Mapping[str, str] | None = None,
        content_type: str = "application/json; charset=utf-8",
    ) -> "Answer":
        """Encode the payload as JSON."""
        return cls(status, msgspec.json.encode(payload), [_header("content-type", content_type), *_headers(headers)])

    @classmethod
    def text(cls, body: str, status: int = 200, content_type: str = "text/html; charset=utf-8") -> "Answer":
        """Send text as it stands, a proxy's HTML error page for one."""
        return cls(status, body.encode(), [_header("content-type", content_type)])

    def with_headers(self, headers: Mapping[str, str]) -> "Answer":
        """Add headers to this answer and return it."""
        self.headers.extend(_headers(headers))
        return self


class RefusedError(Exception):
    """Leave a handler with the answer that refuses the request."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def _headers(headers: Mapping[str, str] | None) -> Headers:
    return [_header(name, value) for name, value in headers.items()] if headers else []


def _header(name: str, value: str) -> tuple[bytes, bytes]:
    return name.lower().encode("latin-1"), value.encode("latin-1")
