"""The parts of a stack: the command of each, and the check of its health."""

import asyncio
import json
import os
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import httpx

from cli.errors import UserError
from cli.stack.ports import HOST
from cli.stack.postgres import FAST_SHUTDOWN, Postgres
from cli.stack.process import Command
from cli.stack.supervisor import Part
from cli.stack.temporal import NAMESPACE, Temporal
from platforms.access.connector import connectors
from platforms.access.consent import PublishesApp

WORKER_NICE = 5
"""On a busy machine, requests come first: accepted work can wait."""
_PYTHON = (sys.executable, "-P", "-m")
"""-P: a folder in the user's current directory with the name of one of our packages must not be imported instead."""
_LOCAL = "127.0.0.1,localhost"
_OWN_NAMES = f"{_LOCAL},[::1]"
_LOOPBACK = ",".join(f"{name}:*" for name in _OWN_NAMES.split(","))
_READY_WITHIN = 60


def postgres_part(postgres: Postgres) -> Part:
    """Return PostgreSQL; its fast shutdown ends every session first."""
    return Part("postgres", "PostgreSQL", postgres.command, postgres.check, stop_signal=FAST_SHUTDOWN, grace=15)


def temporal_part(temporal: Temporal) -> Part:
    """Return Temporal."""
    return Part("temporal", "Temporal", temporal.command, temporal.check)


@dataclass(frozen=True, slots=True)
class OwnParts:
    """The parts of a stack that are our own code."""

    http: httpx.AsyncClient
    data_dir: Path
    api_port: int
    sandbox_port: int
    worker_health_port: int

    @property
    def api_url(self) -> str:
        """Return the API's address, without /v1."""
        return f"http://{HOST}:{self.api_port}"

    @property
    def own_sandbox_url(self) -> str:
        """Return the address of the stack's own sandbox."""
        return f"http://{HOST}:{self.sandbox_port}"

    def web_ui(self, port: int, temporal: Temporal) -> Part:
        """Return the proxy of Temporal's Web UI, which protects the UI from web pages."""
        where = ("--host", HOST, "--port", str(port), "--to", temporal.hidden_ui_url)
        command = Command([*_PYTHON, "cli.stack.web_ui", *where], env=_without_proxy())

        async def start() -> Command:
            return command

        async def check() -> None:
            await self._get(f"{temporal.ui_url}/healthz")

        return Part("temporal-ui", "Temporal's Web UI", start, check, grace=5)

    def sandbox(self, *, realistic: bool) -> Part:
        """Return the sandbox of platforms; if `realistic` is set, with their limits and processing times."""
        where = ("--host", HOST, "--port", str(self.sandbox_port), "--data-dir", str(self.data_dir / "sandbox"))
        command = Command(
            [*_PYTHON, "cli.main", "sandbox", *where, *(["--realistic"] if realistic else [])], env=_without_proxy()
        )

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
        """Return the worker."""
        own = {"SOCIALSYNCER_WORKER_HEALTH_HOST": HOST, "SOCIALSYNCER_WORKER_HEALTH_PORT": str(self.worker_health_port)}

        async def start() -> Command:
            return Command([*_PYTHON, "worker"], env={**env, **own}, unset=("TEMPORAL_",), nice=WORKER_NICE)

        async def check() -> None:
            await self._get(f"http://{HOST}:{self.worker_health_port}/healthz")

        return Part("worker", "worker", start, check, grace=10)

    async def ready(self) -> None:
        """Wait until the API says that its parts are ready, including a polling worker. Raises UserError."""
        missing = "nothing"
        deadline = time.monotonic() + _READY_WITHIN
        while time.monotonic() < deadline:
            with suppress(httpx.HTTPError, ValueError):
                answer = await self.http.get(f"{self.api_url}/statusz")
                # The stack is usable even if a post cannot be started.
                away = [
                    name for name, there in answer.json().items() if there is False and name not in {"sweep", "planner"}
                ]
                if not away:
                    return
                missing = ", ".join(away)
            await asyncio.sleep(0.05)
        raise UserError(f"The API is up, but not ready after {_READY_WITHIN} s; missing: {missing}.")

    async def _get(self, url: str) -> None:
        (await self.http.get(url)).raise_for_status()


def environment(
    *,
    api_port: int,
    sandbox_url: str,
    temporal_address: str,
    platform_rate_limits: bool,
    storage: str,
) -> dict[str, str]:
    """Return the environment that a stack's API and worker share; each has a database URL of its own.

    With `platform_rate_limits`, a benchmark with few accounts would measure the platforms' limits. The setting of that
    name in this process's environment comes first.
    """
    return {
        "SOCIALSYNCER_API_HOST": HOST,
        "SOCIALSYNCER_API_PORT": str(api_port),
        # A web page whose name resolves to this machine (DNS rebinding) must not be able to read anything.
        "SOCIALSYNCER_API_HOST_NAMES": ",".join(
            filter(None, (_OWN_NAMES, os.environ.get("SOCIALSYNCER_API_HOST_NAMES")))
        ),
        # The sandbox fetches media by address, as some platforms do.
        "SOCIALSYNCER_PUBLIC_URL": f"http://{HOST}:{api_port}",
        "SOCIALSYNCER_SANDBOX_URL": sandbox_url,
        "SOCIALSYNCER_STORAGE": os.environ.get("SOCIALSYNCER_STORAGE") or storage,
        # Receivers of events on this machine.
        "SOCIALSYNCER_PRIVATE_WEBHOOK_HOSTS": ",".join(
            filter(None, (_LOOPBACK, os.environ.get("SOCIALSYNCER_PRIVATE_WEBHOOK_HOSTS")))
        ),
        "SOCIALSYNCER_PLATFORM_RATE_LIMITS": os.environ.get("SOCIALSYNCER_PLATFORM_RATE_LIMITS")
        or str(platform_rate_limits).lower(),
        # One developer's scripts, and no other clients.
        "SOCIALSYNCER_REQUESTS_PER_MINUTE": os.environ.get("SOCIALSYNCER_REQUESTS_PER_MINUTE", "6000"),
        "TEMPORAL_ADDRESS": temporal_address,
        "TEMPORAL_NAMESPACE": NAMESPACE,
        # The user's own Temporal profile names another server.
        "TEMPORAL_CONFIG_FILE": os.devnull,
        **_without_proxy(),
    }


def sandbox_apps() -> str:
    """Return SOCIALSYNCER_APPS with the app that each platform of the sandbox knows."""
    app = {"clientId": "sandbox-app", "clientSecret": "sandbox-app-secret"}
    discord, telegram = app | {"botToken": "sandbox-bot-token"}, {"botToken": "1000000001:sandbox-bot-token"}
    bots = {"discord": discord, "telegram": telegram}
    return json.dumps(dict.fromkeys(_with_apps(), app) | bots)


def _with_apps() -> list[str]:
    """Return the platforms that people authorize a registered app at, by the names of SOCIALSYNCER_APPS."""
    registered = (
        connector.platform
        for connector in connectors().values()
        if connector.needs_app
        and not connector.platform.app.registers_itself
        and not isinstance(connector, PublishesApp)
    )
    return sorted({platform.app.family or platform.name for platform in registered})


def _without_proxy() -> dict[str, str]:
    """Keep requests between parts on this machine from going through a proxy."""
    exempt = ",".join(filter(None, (os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), _LOCAL)))
    return {"NO_PROXY": exempt, "no_proxy": exempt, "PYTHONUNBUFFERED": "1"}
