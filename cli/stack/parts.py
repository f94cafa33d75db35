"""Describe the parts of a stack: how each is run, and how one sees that it is well."""

import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import httpx

from cli.stack.ports import HOST
from cli.stack.postgres import FAST_SHUTDOWN, Postgres
from cli.stack.process import Command
from cli.stack.supervisor import Part
from cli.stack.temporal import NAMESPACE, Temporal

_PYTHON = (sys.executable, "-P", "-m")
"""-P: a folder of the same name as one of our packages, where the user happens to be, must not come first."""
_LOCAL = "127.0.0.1,localhost"


def postgres_part(postgres: Postgres) -> Part:
    """Return PostgreSQL; its fast shutdown ends every session first."""
    return Part("postgres", "PostgreSQL", postgres.command, postgres.check, stop_signal=FAST_SHUTDOWN, grace=15)


def temporal_part(temporal: Temporal) -> Part:
    """Return Temporal with its Web UI."""
    return Part("temporal", "Temporal", temporal.command, temporal.check)


@dataclass(frozen=True, slots=True)
class OwnParts:
    """Describe the parts that are our own code."""

    http: httpx.AsyncClient
    data_dir: Path
    api_port: int
    sandbox_port: int

    @property
    def api_url(self) -> str:
        """Return where the api answers, without /v1."""
        return f"http://{HOST}:{self.api_port}"

    @property
    def own_sandbox_url(self) -> str:
        """Return where the stack's own sandbox answers."""
        return f"http://{HOST}:{self.sandbox_port}"

    def sandbox(self) -> Part:
        """Return the sandbox of networks."""
        where = ("--host", HOST, "--port", str(self.sandbox_port), "--data-dir", str(self.data_dir / "sandbox"))
        command = Command([*_PYTHON, "cli.main", "sandbox", *where], env=_without_proxy())

        async def start() -> Command:
            return command

        async def check() -> None:
            await self._get(f"{self.own_sandbox_url}/_/health")

        return Part("sandbox", "sandbox", start, check, grace=5)

    def api(self, env: Mapping[str, str]) -> Part:
        """Return the api."""

        async def start() -> Command:
            return Command([*_PYTHON, "cli.main", "api"], env=env, unset=("TEMPORAL_",))

        async def check() -> None:
            await self._get(f"{self.api_url}/healthz")

        return Part("api", "API", start, check, grace=5)

    def worker(self, env: Mapping[str, str]) -> Part:
        """Return the worker; that it polls is seen through the api's readiness."""

        async def start() -> Command:
            return Command([*_PYTHON, "worker"], env=env, unset=("TEMPORAL_", "SOCIALSYNCER_WORKER_HEALTH_"))

        async def check() -> None:
            await self._get(f"{self.api_url}/readyz")

        return Part("worker", "worker", start, check, stop_signal=signal.SIGTERM, grace=10, watched=False)

    async def _get(self, url: str) -> None:
        (await self.http.get(url)).raise_for_status()


def environment(
    *, database_url: str, encryption_key: str, api_port: int, sandbox_url: str, temporal_address: str
) -> dict[str, str]:
    """Return what the api and the worker of a stack are told by environment, as in production."""
    return {
        "SOCIALSYNCER_DATABASE_URL": database_url,
        "SOCIALSYNCER_ENCRYPTION_KEYS": encryption_key,
        "SOCIALSYNCER_API_HOST": HOST,
        "SOCIALSYNCER_API_PORT": str(api_port),
        "SOCIALSYNCER_SANDBOX_URL": sandbox_url,
        "TEMPORAL_ADDRESS": temporal_address,
        "TEMPORAL_NAMESPACE": NAMESPACE,
        # The user's own Temporal profile leads elsewhere.
        "TEMPORAL_CONFIG_FILE": os.devnull,
        **_without_proxy(),
    }


def _without_proxy() -> dict[str, str]:
    """Keep a proxy for the world from standing between parts on this machine."""
    exempt = ",".join(filter(None, (os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), _LOCAL)))
    return {"NO_PROXY": exempt, "no_proxy": exempt, "PYTHONUNBUFFERED": "1"}
