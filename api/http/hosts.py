"""The host names by which the API may be called."""

from collections.abc import Collection
from urllib.parse import urlsplit

from litestar.types import HTTPScope

from api.http.headers import first_header
from domain.errors import Problem

MISDIRECTED = 421
"""The status of a request for a host that this server is not (RFC 9110, 15.5.20)."""

_UNKNOWN = Problem("The API is not called by this host name; see SOCIALSYNCER_API_HOST_NAMES", "unknown_host")


class HostNames:
    """The names that the header Host may hold; any if there are none.

    A web page may make its own name resolve to the address of an API that only this machine reaches (DNS rebinding).
    Its requests carry that name.
    """

    def __init__(self, names: Collection[str] = ()) -> None:
        self._names = frozenset(name.strip("[]").lower() for name in names)

    def refusal(self, scope: HTTPScope) -> Problem | None:
        """Return why a request is not taken, None if it is."""
        if not self._names:
            return None
        try:
            name = urlsplit(f"//{first_header(scope, b'host') or ''}").hostname
        except ValueError:
            name = None
        return None if name in self._names else _UNKNOWN
