"""The addresses of endpoints, as far as the API can judge them: it looks up no name, and connects to none."""

from urllib.parse import urlsplit

from domain.errors import Problem
from media.local_hosts import LocalHosts, readable_url

_EXAMPLE = "must be a whole address, such as https://hooks.example.com/socialsyncer"


def address_problem(url: str, hosts: LocalHosts) -> Problem | None:
    """Return what is wrong with an endpoint's address; `hosts` are local ones that the operator allows."""
    sentence = _fault(url, hosts)
    return Problem(f"url {sentence}", "invalid_field_value", "url") if sentence else None


def _fault(url: str, hosts: LocalHosts) -> str | None:
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        return "must be an address of printable ASCII characters without spaces and backslashes"
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return _EXAMPLE
    if not host or parts.scheme not in {"http", "https"} or port == 0 or (readable := readable_url(url)) is None:
        return _EXAMPLE
    if parts.username is not None or parts.password is not None or host.endswith("."):
        return "must name its host alone, without a user and without a dot at its end"
    if "#" in url:
        return "must not have a fragment"
    default_port = 443 if parts.scheme == "https" else 80
    if hosts.allowed.allows(host, port or default_port):
        return None
    if hosts.refuses(readable):
        return (
            "names a private address or this service's own machine; the operator may allow it, also by http "
            f"(SOCIALSYNCER_PRIVATE_WEBHOOK_HOSTS={parts.netloc if port else f'{parts.netloc}:{default_port}'})"
        )
    if parts.scheme == "http":
        return "must begin with https://"
    if hosts.why_refused(url) is not None:
        return "must have a port that is called: 80, 443 or one from 1024 on"
    return None
