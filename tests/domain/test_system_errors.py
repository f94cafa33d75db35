"""A pending step names the system call that failed, in the system's words only."""

import errno
import socket
from datetime import timedelta

from activities.errors import retry_error
from domain.system_errors import system_words
from media.refusals import no_decoder
from platforms.errors import PlatformError
from platforms.registry import platforms


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
