"""Functions that start a whole stack with one command, keep it running, and stop it completely."""

import asyncio
import os
import signal
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import psutil

from cli.data_dir import API_ROLE, WORKER_ROLE, DevFile, Folder, Lock, StackState, locked, write_private
from cli.stack.example import publish_example
from cli.stack.orphans import ProcessLedger, end_orphans
from cli.stack.parts import OwnParts, environment, postgres_part, sandbox_apps, temporal_part
from cli.stack.ports import PortRequest, free_port, require_free
from cli.stack.postgres import Postgres
from cli.stack.postgres import end_orphans as end_postgres_orphans
from cli.stack.report import answer, overview, print_line, run_together, show_waiting
from cli.stack.supervisor import Part, PartSupervisor
from cli.stack.temporal import NAMESPACE, Temporal
from workflows.search_attributes import REGISTRY

if TYPE_CHECKING:
    from cli.stack.bootstrap import Bootstrap

_LAUNCHER = "uv"
_PARENT_POLL = 0.5
_STOP_ORDER = ("api", "worker", "sandbox", "temporal-ui", "temporal", "postgres")
"""The order in which parts stop: each after the parts that use it."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of the command line."""

    data_dir: Path
    api_port: int
    temporal_port: int
    ui_port: int
    sandbox_port: int
    sandbox_url: str | None
    realistic: bool
    example: bool
    verbose: bool

    @property
    def port_requests(self) -> list[PortRequest]:
        """Return the ports that this stack needs."""
        port_requests = [
            PortRequest("--api-port", self.api_port),
            PortRequest("--temporal-port", self.temporal_port),
            PortRequest("--ui-port", self.ui_port),
        ]
        return port_requests if self.sandbox_url else [*port_requests, PortRequest("--sandbox-port", self.sandbox_port)]


def run_dev(options: Options) -> None:
    """Run a stack until Ctrl-C. Raises UserError for a failure that a person can correct."""
    os.umask(0o077)
    folder = Folder(options.data_dir)
    folder.create()
    with locked(folder) as lock:
        folder.dev_file.unlink(missing_ok=True)
        asyncio.run(_run(options, folder, lock))


async def _run(options: Options, folder: Folder, lock: Lock) -> None:
    stop = asyncio.Event()
    stack = Stack(options, folder)
    _on_signals(stop, stack)
    # If `uv run` started this command and has ended, the person at the terminal is gone too.
    orphaned = asyncio.create_task(_stop_with_launcher(stop))
    rising = asyncio.create_task(stack.up())
    stopping = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({rising, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if rising.done():
            rising.result()
            await stopping
    finally:
        lock.write_holder(stopping=True)
        for task in (rising, stopping, orphaned):
            task.cancel()
        await asyncio.gather(rising, stopping, orphaned, return_exceptions=True)
        await stack.down()


def _on_signals(stop: asyncio.Event, stack: "Stack") -> None:
    def on_signal() -> None:
        if stop.is_set():
            print_line("Ending everything immediately.")
            stack.kill()
        else:
            print_line("\nStopping …")
            stop.set()

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # nohup makes us ignore hang-ups. A shell's `&` makes us ignore SIGINT too, but there SIGINT must still stop us.
        if number is not signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
            asyncio.get_running_loop().add_signal_handler(number, on_signal)


async def _stop_with_launcher(stop: asyncio.Event) -> None:
    parent = os.getppid()
    try:
        launched = psutil.Process(parent).name() == _LAUNCHER
    except psutil.Error:
        launched = False
    while launched and not stop.is_set():
        await asyncio.sleep(_PARENT_POLL)
        if os.getppid() != parent and not stop.is_set():
            print_line("The command that started this has gone: stopping …")
            stop.set()


class Stack:
    """All parts that `socialsyncer dev` runs."""

    def __init__(self, options: Options, folder: Folder) -> None:
        self._options = options
        self._folder = folder
        self._ledger = ProcessLedger(folder.run_file)
        self._supervisors: dict[str, PartSupervisor] = {}
        self._http = httpx.AsyncClient(timeout=4, trust_env=False)
        self._own = OwnParts(self._http, folder.path, options.api_port, options.sandbox_port, free_port())
        self._sandbox_url = (options.sandbox_url or self._own.own_sandbox_url).rstrip("/")

    async def up(self) -> None:
        """Start every part, create what is missing, and print the addresses. Raises UserError."""
        state = self._folder.state()
        postgres, temporal = await self._prepare(state)
        bootstrap = await self._start_foundations(postgres, temporal, state)
        await show_waiting("the database's schema", bootstrap.migrate(temporal))
        running = await self._start_own(postgres, temporal, bootstrap, state)
        if self._options.example and not state.example_published:
            state.example_published = await self._publish_example(running, state.example_key)
            state.write(self._folder.state_file)
        print_line()
        print_line("Everything is up.", bold=True)
        print_line()
        print_line(overview(running, self._folder, verbose=self._options.verbose))
        running.write(self._folder.dev_file)

    async def down(self) -> None:
        """Stop every part, each after those that use it."""
        self._folder.dev_file.unlink(missing_ok=True)
        for name in _STOP_ORDER:
            if name in self._supervisors:
                await self._supervisors[name].stop()
        await self._http.aclose()
        if self._supervisors:
            print_line("Everything is stopped.")

    def kill(self) -> None:
        """End every part immediately."""
        for part_supervisor in self._supervisors.values():
            part_supervisor.kill()

    async def _prepare(self, state: StackState) -> tuple[Postgres, Temporal]:
        """Remove the remains of a killed run, and check that all needed ports, programs and files are available."""
        data = self._folder.path / "postgres"
        await end_postgres_orphans(data)
        for name in await end_orphans(self._folder.run_file):
            print_line(f"{name} was still running from an earlier start: it was ended.")
        require_free(self._options.port_requests)
        self._folder.rotate_logs()
        postgres = Postgres(data, state.postgres_password, state.postgres_port)
        temporal = Temporal(
            self._folder.path / "temporal.db", self._options.temporal_port, self._options.ui_port, REGISTRY
        )
        state.postgres_port = postgres.port
        state.write(self._folder.state_file)
        return postgres, temporal

    async def _start_foundations(self, postgres: Postgres, temporal: Temporal, state: StackState) -> "Bootstrap":
        web_ui = self._own.web_ui(self._options.ui_port, temporal)
        foundations = [postgres_part(postgres), temporal_part(temporal), web_ui]
        if self._options.sandbox_url is None:
            foundations.append(self._own.sandbox(realistic=self._options.realistic))
        starting = asyncio.create_task(run_together(*(self._keep(part) for part in foundations)))
        try:
            # Imported while the parts start.
            bootstrap = await asyncio.to_thread(import_module, "cli.stack.bootstrap")
            await starting
        finally:
            starting.cancel()
        own_bootstrap: Bootstrap = bootstrap.Bootstrap(
            postgres.url, state.roles, self._encryption_key(), self._sandbox_url
        )
        return own_bootstrap

    async def _start_own(
        self, postgres: Postgres, temporal: Temporal, bootstrap: "Bootstrap", state: StackState
    ) -> DevFile:
        shared = environment(
            api_port=self._options.api_port,
            sandbox_url=self._sandbox_url,
            temporal_address=temporal.address,
            platform_rate_limits=self._options.realistic,
            storage=self._folder.storage,
        )
        seeding = asyncio.create_task(bootstrap.seed(state))
        for_api = {"SOCIALSYNCER_DATABASE_URL": postgres.url_for(API_ROLE, state.api_role_password)}
        for_worker = {
            "SOCIALSYNCER_DATABASE_URL": postgres.url_for(WORKER_ROLE, state.worker_role_password),
            "SOCIALSYNCER_ENCRYPTION_KEYS": self._encryption_key(),
            "SOCIALSYNCER_APPS": os.environ.get("SOCIALSYNCER_APPS") or sandbox_apps(),
        }
        api, worker = self._own.api(shared | for_api), self._own.worker(shared | for_worker)
        await run_together(self._keep(api), self._keep(worker), seeding)
        # The worker reads it from the environment; accounts may be added later from another terminal.
        state.private_account_hosts = os.environ.get("SOCIALSYNCER_PRIVATE_ACCOUNT_HOSTS", "")
        state.write(self._folder.state_file)
        await show_waiting("all of it together", self._own.ready())
        return DevFile(
            api_url=self._own.api_url,
            api_key=state.api_key or "",
            temporal_address=temporal.address,
            temporal_namespace=NAMESPACE,
            temporal_ui_url=temporal.ui_url,
            sandbox_url=self._sandbox_url,
            database_url=postgres.url,
            accounts=seeding.result(),
        )

    async def _publish_example(self, running: DevFile, key: str) -> bool:
        taken, body = await publish_example(running.api_url, running.api_key, key, running.accounts)
        print_line(answer(body, verbose=self._options.verbose))
        return taken

    async def _keep(self, part: Part) -> None:
        part_supervisor = self._supervisors[part.name] = PartSupervisor(
            part, self._folder.log(part.name), self._ledger, print_line
        )
        await show_waiting(part.label, part_supervisor.start())

    def _encryption_key(self) -> str:
        if not self._folder.key_file.exists():
            from store.secrets.vault import new_key

            write_private(self._folder.key_file, new_key() + "\n")
        return self._folder.encryption_key()
