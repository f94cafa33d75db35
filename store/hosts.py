"""The hosts of an address of the database, and connections to the one that can be used.

If there is a standby, the address names several hosts, and after a failover another one allows writes. The driver tries
them within one limit of time, so that a host which does not answer would leave nothing for the others.
"""

from typing import Any

import asyncpg

CONNECT_S = 10.0
"""Seconds for all hosts of an address, in equal shares."""


class UnusableHostsError(ConnectionError):
    """An error: each host refuses connections, does not answer, or does not have the session attributes."""


class Hosts:
    """The hosts of one address. The one that was used last is tried first."""

    def __init__(self, arguments: dict[str, Any]) -> None:
        """`arguments` are the driver's, with lists of hosts and ports if there are several."""
        self._arguments = arguments
        self._addresses: list[dict[str, Any]] = [{}]
        if isinstance(hosts := arguments.get("host"), list):
            pairs = zip(hosts, arguments["port"], strict=True)
            self._addresses = [{"host": host, "port": port} for host, port in pairs]

    async def connect(self, **options: Any) -> asyncpg.Connection:
        """Open a connection with further options. Raises UnusableHostsError, and what a host refuses a client with."""
        share = CONNECT_S / len(self._addresses)
        reasons: list[Exception] = []
        for address in list(self._addresses):
            try:
                connection = await asyncpg.connect(**self._arguments | options | address | {"timeout": share})
            except (OSError, asyncpg.CannotConnectNowError, asyncpg.TargetServerAttributeNotMatched) as error:
                reasons.append(error)
            else:
                self._addresses.sort(key=lambda other: other is not address)
                return connection
        if len(reasons) == 1 and not isinstance(reasons[0], asyncpg.TargetServerAttributeNotMatched):
            raise reasons[0]
        names = ", ".join(type(error).__name__ for error in reasons)
        raise UnusableHostsError(f"no host of the database can be used: {names}") from reasons[-1]
