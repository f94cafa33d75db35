"""The messages of fake platforms: a request as it arrived, and an answer as it is sent."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar
from urllib.parse import parse_qsl

import msgspec
from multipart import MultipartError, MultipartSegment, PushMultipartParser, parse_options_header


class TrackedParameters(dict[str, Any]):
    """Parameters that record which of them were read. A loop over all of them counts as reading them all."""

    __slots__ = ("read",)

    def __init__(self, values: dict[str, Any]) -> None:
        super().__init__(values)
        self.read: set[str] = set()

    def __getitem__(self, name: str) -> Any:
        """Return a value and record its name as read."""
        self.read.add(name)
        return super().__getitem__(name)

    def get(self, name: str, otherwise: Any = None) -> Any:
        """Return a value, or the default, and record its name as read."""
        self.read.add(name)
        return super().get(name, otherwise)

    def __contains__(self, name: object) -> bool:
        """Return whether there is a value of this name, and record the name as read."""
        self.read.add(str(name))
        return super().__contains__(name)

    def __iter__(self) -> Iterator[str]:
        """Iterate over all names, and record them as read."""
        self.read.update(super().__iter__())
        return super().__iter__()

    def keys(self) -> Any:
        """Return all names, and record them as read."""
        self.read.update(super().__iter__())
        return super().keys()

    def items(self) -> Any:
        """Return all values with their names, and record them as read."""
        self.read.update(super().__iter__())
        return super().items()

    def values(self) -> Any:
        """Return all values, and record their names as read."""
        self.read.update(super().__iter__())
        return super().values()

    def raw(self) -> dict[str, Any]:
        """Return all parameters and record nothing."""
        return dict(zip(super().__iter__(), super().values(), strict=True))

    def unread(self) -> set[str]:
        """Return the names that no handler has read."""
        return set(super().__iter__()) - self.read


Field = str | bytes
"""A form field: text, or the bytes of a file."""

T = TypeVar("T")

Headers = list[tuple[bytes, bytes]]


class MalformedBodyError(ValueError):
    """The body is not what its content type says."""


@dataclass(slots=True, eq=False)
class Request:
    """One request to a platform.

    `path` is the platform's own, without the sandbox's prefix and still percent-encoded; `params` are the decoded
    parts of it that the route's template names.
    """

    method: str
    path: str
    query_string: bytes
    headers: Headers
    body: bytes
    base_url: str = ""
    params: dict[str, str] = field(default_factory=dict)
    _query: TrackedParameters | None = None
    _tracked: list[TrackedParameters] = field(default_factory=list)
    _ignores_unread: bool = False
    _form: list[tuple[str, Field]] | None = None

    def header(self, name: str) -> str:
        """Return a header's value, or an empty string; `name` is in lower case."""
        encoded_name = name.encode()
        for key, value in self.headers:
            if key == encoded_name:
                return value.decode("latin-1")
        return ""

    @property
    def bearer(self) -> str:
        """Return the token of the Authorization header, or an empty string."""
        scheme, _, token = self.header("authorization").partition(" ")
        return token.strip() if scheme.lower() == "bearer" else ""

    @property
    def query(self) -> TrackedParameters:
        """Return the query's parameters; of a repeated one the last counts."""
        if self._query is None:
            values = dict(parse_qsl(self.query_string.decode("latin-1"), keep_blank_values=True))
            self._query = self.track(values)
        return self._query

    def track(self, values: dict[str, Any]) -> TrackedParameters:
        """Return parameters that record which of them were read, for `unknown`."""
        tracked = TrackedParameters(values)
        self._tracked.append(tracked)
        return tracked

    def merged(self, body: Any = None) -> TrackedParameters:
        """Return the query's parameters and those of a body that is an object; the body takes precedence."""
        more = body.raw() if isinstance(body, TrackedParameters) else {}
        return self.track(self.query.raw() | more)

    def parameters(self) -> TrackedParameters:
        """Return the parameters of query and body, a form or JSON; the body takes precedence."""
        if not self.body:
            return self.merged()
        return self.merged(self.json() if self.is_json else self.form())

    def texts(self) -> TrackedParameters:
        """Return the form's fields as texts."""
        return self.track({name: str(value) for name, value in self.fields()})

    def ignore_unread(self, *, undo: bool = False) -> None:
        """Ignore unknown names of this request, which is answered before all of it is read; `undo` ends that."""
        self._ignores_unread = not undo

    def unknown(self) -> set[str]:
        """Return the names that the request contains and that no handler has read, in query or body."""
        if self._ignores_unread:
            return set()
        _ = self.query
        unread, read = set[str](), set[str]()
        for tracked in self._tracked:
            unread |= tracked.unread()
            read |= tracked.read
        return unread - read

    @property
    def is_json(self) -> bool:
        """Return whether the body claims to be JSON."""
        return "json" in self.header("content-type")

    def json(self) -> Any:
        """Return the body read as JSON; raises MalformedBodyError."""
        try:
            body = msgspec.json.decode(self.body)
        except (msgspec.DecodeError, RecursionError) as error:
            raise MalformedBodyError(str(error)) from error
        return self.track(body) if isinstance(body, dict) else body

    def stored_file(self, key: str) -> bytes:
        """Return the file of a storage's form: its last field, after the key and signature that its registration gave.

        Raises RefusedError.
        """
        try:
            fields = self.fields()
        except MalformedBodyError:
            fields = []
        names = [name for name, _ in fields]
        if dict(fields).get("key") != key or not {"policy", "x-amz-signature"} <= set(names):
            raise storage_refused(403, "AccessDenied")
        name, content = fields[-1]
        if name != "file" or not isinstance(content, bytes):
            raise storage_refused(400, "InvalidArgument")
        return content

    def object(self) -> dict[str, Any]:
        """Return the body read as a JSON object; raises MalformedBodyError."""
        body = self.json()
        if not isinstance(body, dict):
            raise MalformedBodyError("The request body is no JSON object.")
        return body

    def decoded(self, kind: type[T]) -> T:
        """Return the body read and checked as a struct; raises MalformedBodyError."""
        try:
            return msgspec.json.decode(self.body, type=kind)
        except (msgspec.DecodeError, RecursionError) as error:
            raise MalformedBodyError(str(error)) from error

    def fields(self) -> list[tuple[str, Field]]:
        """Return the body's form fields in order; empty if the body is no form."""
        if self._form is None:
            self._form = self._read_form()
        return self._form

    def form(self) -> TrackedParameters:
        """Return the body's form fields by name; of a repeated one the last counts."""
        return self.track(dict(self.fields()))

    def _read_form(self) -> list[tuple[str, Field]]:
        content_type = self.header("content-type")
        if content_type.startswith("application/x-www-form-urlencoded"):
            text = self.body.decode("utf-8", "replace")
            return [(name, value) for name, value in parse_qsl(text, keep_blank_values=True)]
        if content_type.startswith("multipart/"):
            return list(_multipart(self.body, content_type))
        return []


def _multipart(body: bytes, content_type: str) -> Iterator[tuple[str, Field]]:
    _, options = parse_options_header(content_type)
    content: list[bytes] = []
    try:
        with PushMultipartParser(options.get("boundary", ""), strict=True) as parser:
            for event in parser.parse(body):
                if isinstance(event, MultipartSegment):
                    part, content = event, []
                elif event:
                    content.append(event)
                else:
                    is_file = part.filename is not None or part.content_type == "application/octet-stream"
                    whole = b"".join(content)
                    yield part.name or "", whole if is_file else _text(whole)
    except MultipartError as error:
        raise MalformedBodyError(str(error)) from error


def _text(content: bytes) -> Field:
    try:
        return content.decode()
    except UnicodeDecodeError:
        return content


@dataclass(slots=True)
class Answer:
    """A response: a status, headers and a body that is already encoded."""

    status: int
    body: bytes = b""
    headers: Headers = field(default_factory=list)

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
        """Return an answer with this text unchanged, such as a proxy's HTML error page."""
        return cls(status, body.encode(), [_header("content-type", content_type)])

    def with_headers(self, headers: Mapping[str, str]) -> "Answer":
        """Add headers to this answer and return it."""
        self.headers.extend(_headers(headers))
        return self


class RefusedError(Exception):
    """An exception that ends a handler with the answer that refuses the request."""

    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.status)
        self.answer = answer


def storage_refused(status: int, code: str) -> RefusedError:
    """Refuse a file in the form of Amazon's storage."""
    xml = f'<?xml version="1.0" encoding="UTF-8"?><Error><Code>{code}</Code></Error>'
    return RefusedError(Answer.text(xml, status, "application/xml"))


def _headers(headers: Mapping[str, str] | None) -> Headers:
    return [_header(name, value) for name, value in headers.items()] if headers else []


def _header(name: str, value: str) -> tuple[bytes, bytes]:
    return name.lower().encode("latin-1"), value.encode("latin-1")
