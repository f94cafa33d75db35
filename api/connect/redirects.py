"""The addresses to which platforms send people back who connect an account."""

from collections.abc import Collection
from urllib.parse import urlsplit

from domain.errors import Problem

LOCAL = frozenset({"localhost", "127.0.0.1", "::1"})
LONGEST = 512
"""What TikTok takes; the other platforms take more."""


def redirect_problem(url: str, allowed: Collection[str]) -> Problem | None:
    """Return what is wrong with a `redirect_url`. The allowed ones are compared as text, as platforms do."""
    if sentence := _fault(url):
        return Problem(f"redirect_url {sentence}", "invalid_field_value", "redirect_url")
    if allowed and url not in allowed:
        sentence = "redirect_url is not one that this service allows; its operator sets SOCIALSYNCER_REDIRECT_URLS"
        return Problem(sentence, "invalid_field_value", "redirect_url")
    return None


def _fault(url: str) -> str | None:
    if len(url) > LONGEST:
        return f"may be at most {LONGEST} characters long"
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "must be an address of printable ASCII characters without spaces and backslashes"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return "must be a whole address, such as https://app.example.com/connected"
    if not host or parts.scheme not in {"http", "https"} or port == 0:
        return "must be a whole address, such as https://app.example.com/connected"
    if parts.username is not None or parts.password is not None or host.endswith("."):
        return "must name its host alone, without a user and without a dot at its end"
    if "#" in url:
        return "must not have a fragment"
    if parts.scheme == "http" and host not in LOCAL:
        return "must begin with https://; http is for localhost only"
    return None
