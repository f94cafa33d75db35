"""Names, errors and addresses from outside are safe to show."""

import ast
import errno
import json
import re
import socket
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from activities.errors import retry_error
from domain.printable import error_words, make_printable, system_words
from domain.uploads import public_url, safe_name
from media.refusals import no_decoder
from platforms.errors import PlatformError
from platforms.registry import platforms
from tests.releases.trees import ROOT
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


def test_names_are_safe_and_have_an_ending() -> None:
    names = {
        ("holiday 1.JPG", "image/jpeg"): "holiday-1.JPG",
        ("Überraschung.png", "image/png"): "Uberraschung.png",
        ("../../etc/passwd", "image/gif"): "passwd.gif",
        ("C:\\clips\\a.mp4", "video/mp4"): "a.mp4",
        ("写真", "image/jpeg"): "file.jpg",
        (".htaccess", "image/png"): "htaccess.png",
        ("a" * 300 + ".mov", "video/quicktime"): "a" * 76 + ".mov",
    }
    assert {case: safe_name(*case) for case in names} == names
    assert public_url("https://posts.example.com/", "t", "a b.jpg") == "https://posts.example.com/media/u/t/a-b.jpg"


@given(st.text(max_size=300))
def test_any_name_becomes_safe(filename: str) -> None:
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,79}", safe_name(filename, "video/mp4"))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("Ada Lovelace, @ada 🏳️\u200d🌈 ä 日本", "Ada Lovelace, @ada 🏳️\u200d🌈 ä 日本"),
        ("\x1b]0;owned\x07\x1b[2J", "\\u001b]0;owned\\u0007\\u001b[2J"),
        ("\x9b31m", "\\u009b31m"),
        ("one\ntwo\rthree\ttab", "one\\ntwo\\rthree\\ttab"),
        ("user\u202egnp.exe", "user\\u202egnp.exe"),
        ("a\u2028b\x7f\x00", "a\\u2028b\\u007f\\u0000"),
        ("half \ud800", "half \\ud800"),
        ("tag \U000e0041", "tag \\udb40\\udc41"),
    ],
)
def test_control_characters_are_written_out(text: str, shown: str) -> None:
    assert make_printable(text) == shown


def test_kept_characters_stay() -> None:
    assert make_printable("a\nb\x1b", keep="\n") == "a\nb\\u001b"


@given(st.text())
def test_control_characters_never_reach_the_terminal(text: str) -> None:
    assert make_printable(text).replace("\u200c", "").replace("\u200d", "").isprintable()


@given(st.dictionaries(st.text(), st.text()))
def test_json_means_the_same_afterwards(value: dict[str, str]) -> None:
    assert json.loads(make_printable(json.dumps(value, ensure_ascii=False, indent=1), keep="\n")) == value
