"""A PostgreSQL with a standby, which a test promotes after it has killed the primary."""

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil
from sqlalchemy import make_url

from tests.postgres import PostgresServer, initialize, postgres_folder

_PROMOTES_WITHIN_S = 60
_STANDBY = "standby"


@dataclass
class Replicated:
    """A primary and its standby, both running."""

    primary: PostgresServer
    standby: PostgresServer
    frozen: list[psutil.Process] = field(default_factory=list)

    def url(self, database_url: str) -> str:
        """Return the URL of a database that leads to the one of both servers that allows writes."""
        hosts = [f"127.0.0.1:{server.port}" for server in (self.primary, self.standby)]
        url = make_url(database_url).set(host=None, port=None)
        query = {"host": tuple(hosts), "target_session_attrs": "read-write"}
        return url.update_query_dict(query).render_as_string(hide_password=False)

    def stop_replication(self) -> None:
        """Freeze the processes that send WAL to the standby: from now on it lacks what the primary commits."""
        assert self.primary.process is not None
        server = psutil.Process(self.primary.process.pid)
        self.frozen = [child for child in server.children() if "walsender" in " ".join(child.cmdline())]
        assert self.frozen, "nothing is sent to the standby"
        for sender in self.frozen:
            os.kill(sender.pid, signal.SIGSTOP)

    def promote(self) -> float:
        """Make the standby a primary, and return the seconds that it took."""
        began = time.monotonic()
        self.standby.execute("pg_ctl", "promote", "-w", "-t", str(_PROMOTES_WITHIN_S), "-D", self.standby.data)
        return time.monotonic() - began


@contextmanager
def replicated_server(*, synchronous: bool, **settings: str) -> Iterator[Replicated]:
    """Run a primary and a standby for the length of the block.

    `synchronous`: a commit of the primary waits until the standby has written it. The promoted standby waits for none.
    """
    with postgres_folder() as primary, postgres_folder() as standby:
        initialize(primary)
        waits = {"synchronous_standby_names": _STANDBY, "synchronous_commit": "on"} if synchronous else {}
        primary.start(**waits | settings)
        connection = f"host=127.0.0.1 port={primary.port} user=postgres application_name={_STANDBY}"
        standby.execute("pg_basebackup", "-D", standby.data, "-d", connection, "-R", "-X", "stream", "-c", "fast")
        standby.start(**settings)
        yield Replicated(primary, standby)
