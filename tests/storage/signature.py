"""Amazon's signature of an address, version 4, by its specification and without any package: a second opinion."""

import hashlib
import hmac
from urllib.parse import quote, unquote, urlsplit


def signature(method: str, url: str, headers: dict[str, str], secret: str) -> str:
    """Return the signature that an address must have."""
    parts = urlsplit(url)
    query = dict(pair.split("=", 1) for pair in parts.query.split("&"))
    del query["X-Amz-Signature"]
    scope = unquote(query["X-Amz-Credential"]).split("/", 1)[1]
    names = unquote(query["X-Amz-SignedHeaders"])
    lines = "".join(f"{name}:{headers[name]}\n" for name in names.split(";"))
    path = quote(unquote(parts.path), safe="/~")
    sorted_query = "&".join(f"{name}={query[name]}" for name in sorted(query))
    request = f"{method}\n{path}\n{sorted_query}\n{lines}\n{names}\nUNSIGNED-PAYLOAD"
    digest = hashlib.sha256(request.encode()).hexdigest()
    key = f"AWS4{secret}".encode()
    for word in scope.split("/"):
        key = hmac.digest(key, word.encode(), "sha256")
    text = "\n".join(("AWS4-HMAC-SHA256", query["X-Amz-Date"], scope, digest))
    return hmac.new(key, text.encode(), "sha256").hexdigest()
