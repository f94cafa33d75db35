"""The memory that abuse takes: of the API's process, and of the kernel for all sockets of this machine."""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(slots=True)
class Memory:
    """The memory of the API and of the kernel's TCP sockets, in MiB, and how much it grew at most."""

    api: psutil.Process
    grown: float = 0.0

    async def watch(self) -> None:
        """Measure until cancelled."""
        before = self._now()
        while True:
            self.grown = max(self.grown, self._now() - before)
            await asyncio.sleep(0.2)

    def _now(self) -> float:
        words = next((line.split() for line in _sockets() if line.startswith("TCP:")), ["0"])
        return float((self.api.memory_info().rss + int(words[-1]) * os.sysconf("SC_PAGE_SIZE")) / 2**20)


def _sockets() -> list[str]:
    try:
        return Path("/proc/net/sockstat").read_text(encoding="ascii").splitlines()
    except OSError:
        return []


def listener(port: int) -> psutil.Process:
    """Return the process of this user that listens at a port."""
    for process in psutil.process_iter():
        try:
            if any(
                connection.laddr.port == port and connection.status == "LISTEN"
                for connection in process.net_connections("tcp")
            ):
                return process
        except psutil.Error:
            continue
    raise SystemExit(f"nothing listens at port {port}")
