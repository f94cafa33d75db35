"""The public addresses of uploads."""

import mimetypes
import re
import unicodedata
from pathlib import PurePosixPath

PUBLIC_PATH = "/media/u/"
"""The path of public addresses, before the token and the name."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LONGEST_NAME = 80


def safe_name(filename: str, content_type: str) -> str:
    """Return a file's name for its address: ASCII, with an ending, because platforms derive types from it."""
    plain = unicodedata.normalize("NFKD", PurePosixPath(filename.replace("\\", "/")).name)
    name = _UNSAFE.sub("-", plain.encode("ascii", "ignore").decode()).strip(".-") or "file"
    path = PurePosixPath(name)
    suffix = path.suffix or mimetypes.guess_extension(content_type) or ""
    return f"{path.stem[: _LONGEST_NAME - len(suffix)]}{suffix}" if len(suffix) < _LONGEST_NAME else "file"


def named_by_type(filename: str, content_type: str) -> str:
    """Return a file's name with an ending that fits its type, for a file whose type was not known when it was named."""
    kind = mimetypes.guess_type(filename)[0]
    if kind and kind.partition("/")[0] == content_type.partition("/")[0]:
        return filename
    return f"{filename}{mimetypes.guess_extension(content_type) or ''}"


def public_url(base: str, token: str, filename: str, content_type: str = "") -> str:
    """Return the public address of an upload; `base` is the address of this service."""
    return f"{base.rstrip('/')}{PUBLIC_PATH}{token}/{safe_name(filename, content_type)}"
