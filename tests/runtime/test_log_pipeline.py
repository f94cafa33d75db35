"""The real log: all lines of libraries and of Python itself are masked."""

import asyncio
import contextlib
import gc
import io
import json
import logging
import secrets
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from typing import Any

import h11
import httpx
import pytest
import structlog
import uvicorn
from pydantic import SecretStr
from sqlalchemy.exc import DBAPIError
from temporalio import activity, workflow
from temporalio.client import WorkflowFailureError
from temporalio.common import RetryPolicy
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from cli.stack.ports import free_port
from runtime.logging import _Handler, configure
from runtime.settings import Settings
from store.models import Workspace
from store.secrets.vault import Vault, new_key
from tests.cli.parts import until
from tests.stack import Stack

CONTENT = "a customer's draft, not yet public"


@pytest.fixture(params=["json", "console"])
def lines(request: pytest.FixtureRequest) -> Iterator[io.StringIO]:
    """Log into a buffer, and restore logging afterwards."""
    root = logging.getLogger()
    handlers, level, before = root.handlers[:], root.level, structlog.get_config()
    buffer = io.StringIO()
    configure("info", request.param, buffer)
    yield buffer
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.configure(**before)


@pytest.fixture
def token() -> str:
    """Return a credential that the vault has opened in this process, of no known shape."""
    secret = "".join(secrets.choice("abcdefghjkmnpqrstuvwxyz23456789") for _ in range(24))
    vault = Vault([SecretStr(new_key())])
    vault.open(vault.seal({"access_token": secret, "client_id": "app-of-the-operator"}, "x"), "x")
    return secret


def assert_logged_without(lines: io.StringIO, secret: str, *words: str) -> None:
    logged = lines.getvalue()
    for word in words:
        assert word in logged, logged
    assert secret not in logged
    assert secret[:16] not in logged


def test_a_secret_that_the_vault_opened_is_masked_in_any_words(lines: io.StringIO, token: str) -> None:
    log = structlog.get_logger("ours")
    words = f"it was {token}"
    log.warning(words, said=f"x{token}y", deep=[{"a": (token, {token: 1})}], raw=token.encode())
    logging.getLogger("library").error("refused %s", {"unnamed": [token]})
    assert_logged_without(lines, token, "it was ***", "refused")


def test_ids_beside_the_secrets_stay(lines: io.StringIO, token: str) -> None:
    structlog.get_logger().info("account.accepted", client_id="app-of-the-operator")
    assert "app-of-the-operator" in lines.getvalue()


def test_secrets_among_the_settings_are_masked(lines: io.StringIO) -> None:
    password = secrets.token_urlsafe(20)
    Settings(_env_file=None, database_url=SecretStr(f"postgresql://me:{password}@db.internal/x"))
    structlog.get_logger().error("boom", said=f"{password} at db.internal")
    assert_logged_without(lines, password, "*** at db.internal")


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    """Return an exception with a traceback."""
    with contextlib.suppress(Exception):
        raise error from cause
    return error


def test_every_part_of_a_traceback_is_masked(lines: io.StringIO, token: str) -> None:
    failure = ExceptionGroup(f"group {token}", [RuntimeError(token), KeyError(token)])
    failure.add_note(f"note {token}")
    failed = raised(failure, raised(ValueError(f"first {token}")))
    structlog.get_logger().error("it.failed", exc_info=failed)
    logging.getLogger("library").error("it failed", exc_info=failed)
    assert_logged_without(lines, token, "first ***", "group ***", "RuntimeError", "KeyError")


async def test_row_values_in_database_errors_are_masked(lines: io.StringIO, stack: Stack) -> None:
    async def twice() -> None:
        async with stack.database.transaction() as session:
            session.add_all([Workspace(id=f"ws_{number}", name=CONTENT) for number in range(2)])

    async def wrongly() -> None:
        await stack.database.rows("SELECT $1::int", CONTENT)

    async def badly() -> None:
        await stack.database.rows("SELECT ($1::text)::jsonb", CONTENT)

    for failing in (twice, wrongly, badly):
        try:
            await failing()
        except Exception:  # noqa: BLE001 of several libraries
            structlog.get_logger().exception("background_task.failed")
    assert_logged_without(lines, CONTENT, "UniqueViolation", "DataError", "invalid input syntax")


async def test_echoing_engine_shows_no_parameters(lines: io.StringIO, stack: Stack) -> None:
    logging.getLogger("sqlalchemy.engine").setLevel(logging.INFO)
    try:
        async with stack.database.transaction() as session:
            session.add(Workspace(id=f"ws_{secrets.token_hex(6)}", name=CONTENT))
            await session.flush()
            await session.rollback()
    except DBAPIError:
        pass
    finally:
        logging.getLogger("sqlalchemy.engine").setLevel(logging.NOTSET)
    assert_logged_without(lines, CONTENT, "INSERT INTO workspaces")


@activity.defn
async def lose(secret: str) -> None:
    raise RuntimeError(f"the platform said {secret[::-1]}")


@workflow.defn
class Losing:
    @workflow.run
    async def run(self, turned: str) -> None:
        await workflow.execute_activity(
            lose, turned, start_to_close_timeout=timedelta(seconds=20), retry_policy=RetryPolicy(maximum_attempts=1)
        )


async def test_failed_steps_logged_by_temporal_are_masked(lines: io.StringIO, stack: Stack, token: str) -> None:
    queue = f"losing-{secrets.token_hex(4)}"
    async with Worker(
        stack.client,
        task_queue=queue,
        workflows=[Losing],
        activities=[lose],
        workflow_runner=UnsandboxedWorkflowRunner(),
    ):
        with pytest.raises(WorkflowFailureError):
            # Reversed, because a workflow's arguments are not masked here.
            await stack.client.execute_workflow(Losing.run, token[::-1], id=queue, task_queue=queue)
    assert_logged_without(lines, token, "Completing activity as failed", "the platform said ***")


@pytest.fixture
async def failing_server(token: str) -> AsyncIterator[str]:
    """Serve an app that fails with a secret in its message, before it responds and while it starts."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError(f"while serving {token}")

    port = free_port()
    server = uvicorn.Server(uvicorn.Config(app, port=port, log_config=None, lifespan="off"))
    serving = asyncio.create_task(server.serve())
    await until(lambda: server.started)
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    await serving


async def test_failed_requests_logged_by_the_server_are_masked(
    lines: io.StringIO, failing_server: str, token: str
) -> None:
    async with httpx.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"{failing_server}/?access_token={token}")).status_code == 500
    assert_logged_without(lines, token, "Exception in ASGI application", "while serving ***")


async def test_a_header_that_cannot_be_sent_is_masked(lines: io.StringIO, failing_server: str) -> None:
    unheld = secrets.token_hex(12)
    async with httpx.AsyncClient(trust_env=False) as client:
        try:
            await client.get(failing_server, headers={"Authorization": f"Bot {unheld}\n"})
        except httpx.LocalProtocolError:
            logging.getLogger("library").warning("not sent", exc_info=True)
    assert h11.LocalProtocolError.__name__ in lines.getvalue()
    assert_logged_without(lines, unheld, "Illegal header value ***")


async def test_unawaited_task_errors_are_masked(lines: io.StringIO, token: str) -> None:
    async def fail() -> None:
        raise RuntimeError(f"alone {token}")

    task = asyncio.create_task(fail())
    await asyncio.sleep(0.01)
    del task
    gc.collect()
    assert_logged_without(lines, token, "Task exception was never retrieved", "alone ***")


def test_unwritable_line_reveals_nothing(
    lines: io.StringIO, token: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # pytest's own handlers would raise.
    ours = [handler for handler in logging.getLogger().handlers if isinstance(handler, _Handler)]
    monkeypatch.setattr(logging.getLogger(), "handlers", ours)
    logging.getLogger("library").error("a number: %d", token)
    errors = capsys.readouterr().err
    assert json.loads(errors) == {"event": "log.line_lost", "logger": "library", "reason": "TypeError"}
    assert token not in lines.getvalue()


def test_a_log_line_that_cannot_be_written_is_reported_and_raises_nothing(
    lines: io.StringIO, token: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines.close()
    structlog.get_logger("ours").error("a number", said=token)
    errors = capsys.readouterr().err
    assert json.loads(errors) == {"event": "log.line_lost", "logger": "ours", "reason": "ValueError"}


UNCAUGHT = """
import sys, threading, warnings
from pydantic import SecretStr
from runtime.logging import configure, log_uncaught
from store.secrets.vault import Vault

configure("info", "{format}")
log_uncaught()
Vault([SecretStr("{key}")])

class Ending:
    def __del__(self):
        raise RuntimeError("destructor {key}")

def fail():
    raise RuntimeError("thread {key}")

Ending()
thread = threading.Thread(target=fail)
thread.start()
thread.join()
warnings.warn("warning {key}")
raise RuntimeError("main {key}")
"""


@pytest.mark.parametrize("format", ["json", "console"])
def test_uncaught_exceptions_and_warnings_are_masked(format: str) -> None:  # noqa: A002
    key = new_key()
    program = UNCAUGHT.replace("{key}", key).replace("{format}", format)
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    for what in ("destructor", "thread", "warning", "main"):
        assert f"{what} ***" in ended.stderr
    assert key[:16] not in ended.stderr + ended.stdout
    if format == "json":
        assert all(json.loads(line)["level"] in {"critical", "error", "warning"} for line in ended.stderr.splitlines())


def test_log_lines_escape_control_characters() -> None:
    buffer = io.StringIO()
    root, before = logging.getLogger(), structlog.get_config()
    handlers, level = root.handlers[:], root.level
    try:
        configure("info", "console", buffer)
        error = raised(ValueError("\x1b[2Jerased\x07"))
        words = {"said": "\x9b1m\r\nforged line", "deep": ["\x1b[0m"]}
        structlog.get_logger().error("event\x1b[31m", exc_info=error, **words)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
        structlog.configure(**before)
    logged = buffer.getvalue()
    assert "\\u001b[2Jerased\\u0007" in logged
    assert logged.replace("\n", "").isprintable()
    assert "\nforged line" not in logged
