"""Entity tags: a caller that has an answer already is told so, and gets no content (RFC 9110, section 13.1.2)."""

import hashlib
import re
from collections.abc import Mapping

from litestar import Response

from api.http.headers import HttpRequest

_TAGS = re.compile(r'"[^"]*"|\*')


def entity_tag(*parts: bytes) -> str:
    """Return the tag of some content."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return f'"{digest.hexdigest()[:32]}"'


def has_current(request: HttpRequest, tag: str) -> bool:
    """Return whether the caller says that it has the content of this tag."""
    tags = _TAGS.findall(request.headers.get("if-none-match", ""))
    return tag in tags or "*" in tags


def respond_tagged(request: HttpRequest, body: bytes, media_type: str, headers: Mapping[str, str]) -> Response[bytes]:
    """Write an answer with its tag; 304 without content if the caller has it."""
    tag = entity_tag(body)
    tagged = {"ETag": tag, **headers}
    if has_current(request, tag):
        return Response(b"", status_code=304, headers=tagged, media_type=media_type)
    return Response(body, headers=tagged, media_type=media_type)
