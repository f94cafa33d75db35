"""A pending step names the system call that failed, in the system's words only."""

import ast
import errno
import socket
from datetime import timedelta

from activities.errors import retry_error
from domain.printable import error_words, system_words
from media.refusals import no_decoder
from platforms.errors import PlatformError
from platforms.registry import platforms
from tests.releases.folders import ROOT
from tests.sources import syntax_nodes

PACKAGES = (
    "accounts",
    "activities",
    "api",
    "cli",
    "domain",
    "media",
    "platforms",
    "reconcile",
    "runtime",
    "storage",
    "store",
    "workflows",
)
PASSED_ON = ("UserError", "_explain")


def caused(error: Exception, cause: Exception) -> Exception:
    try:
        raise error from cause
    except type(error) as raised:
        return raised


def test_failed_decoder_start_names_the_system_call() -> None:
    full = OSError(errno.ENOMEM, "a secret", "/a/path")
    error = caused(no_decoder(), caused(RuntimeError("server away"), full))
    assert isinstance(error, PlatformError)
    platform_error = retry_error(platforms()["mastodon"], error, timedelta(seconds=1))
    assert platform_error.message == "Mastodon: transient (decoder_unavailable), errno 12: Cannot allocate memory"


def test_only_system_calls_are_named() -> None:
    assert system_words(ConnectionRefusedError(errno.ECONNREFUSED, "x")) == "errno 111: Connection refused"
    assert system_words(ValueError("x")) is None
    assert system_words(OSError("without a number")) is None
    assert system_words(socket.gaierror(socket.EAI_AGAIN, "names have other numbers")) is None


def test_an_error_without_a_text_is_named() -> None:
    assert error_words(TimeoutError()) == "TimeoutError"
    assert error_words(ConnectionError(" the server is away ")) == "the server is away"


def test_no_reason_is_the_bare_text_of_an_error() -> None:
    """`str(TimeoutError())` is empty. Errors whose classes demand a text may be passed on to people."""
    assert [
        f"{path.relative_to(ROOT)}:{call.lineno}"
        for package in PACKAGES
        for path in (ROOT / package).rglob("*.py")
        for call in bare_texts(path.read_text())
    ] == []


def bare_texts(source: str) -> list[ast.Call]:
    """Return the calls of `str` on a caught error or its cause, whose text is neither compared nor a UserError's."""
    calls = []
    for handler in syntax_nodes(source):
        if not isinstance(handler, ast.ExceptHandler):
            continue
        harmless = {
            id(inner)
            for node in ast.walk(handler)
            if isinstance(node, ast.Compare)
            or (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in PASSED_ON)
            for inner in ast.walk(node)
        }
        calls += [
            node
            for node in ast.walk(handler)
            if isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id == "str"
            and id(node) not in harmless
            and ast.unparse(node.args[0]) in {handler.name, f"{handler.name}.__cause__ or {handler.name}"}
        ]
    return calls
