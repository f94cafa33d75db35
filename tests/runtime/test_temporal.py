"""The parts of an error that a workflow history contains."""

import errno

from temporalio.api.failure.v1 import Failure
from temporalio.exceptions import ApplicationError

from platforms.errors import ErrorKind, PlatformError
from runtime.temporal import DATA_CONVERTER


def start_failure(error: BaseException) -> Failure:
    failure = Failure()
    DATA_CONVERTER.failure_converter.to_failure(error, DATA_CONVERTER.payload_converter, failure)
    return failure


def raised(error: Exception, cause: Exception | None = None) -> Exception:
    try:
        raise error from cause
    except type(error):
        return error


def test_messages_of_foreign_exceptions_stay_out_of_histories() -> None:
    failure = start_failure(raised(ValueError("token-and-content"), KeyError("token-and-content")))
    assert (failure.application_failure_info.type, failure.cause.application_failure_info.type) == (
        "ValueError",
        "KeyError",
    )
    assert "raised" in failure.stack_trace
    assert b"token-and-content" not in failure.SerializeToString()


def test_our_messages_stay_and_platform_messages_do_not() -> None:
    cause = PlatformError(ErrorKind.REJECTED, "X refused: your text", code="bad")
    failure = start_failure(raised(ApplicationError("X: rejected (bad)", type="rejected"), cause))
    assert failure.message == "X: rejected (bad)"
    assert not failure.HasField("cause"), "with the way to it, Temporal shows of a failure that it is too long"
    assert b"your text" not in failure.SerializeToString()
    assert str(cause) == "rejected (bad)"


def test_system_errors_keep_their_reason() -> None:
    full = raised(OSError(errno.ENOSPC, "No space left on device", "/secret/path"))
    failure = start_failure(full)
    assert failure.application_failure_info.type == "OSError"
    assert failure.message == f"errno {errno.ENOSPC}: No space left on device"
    assert b"secret" not in failure.SerializeToString()


def deep(depth: int) -> None:
    if depth:
        deep(depth - 1)
    raise OSError(errno.ENOSPC, "No space left on device")


def test_a_failure_is_small_enough_for_temporal_to_show_it() -> None:
    caught: Exception | None = None
    for _ in range(12):
        try:
            deep(40)
        except OSError as error:
            caught = raised(RuntimeError("hidden"), caught or error)
    assert caught is not None
    failure = start_failure(raised(OSError(errno.ENOSPC, "full"), caught))
    assert failure.ByteSize() < 2000
    assert "No space left on device" in failure.message


def test_error_that_is_its_own_cause_is_converted() -> None:
    own = PlatformError(ErrorKind.REJECTED, "no", code="bad")
    own.__cause__ = own
    assert start_failure(raised(ApplicationError("X: rejected (bad)"), own)).message == "X: rejected (bad)"
    other = ValueError("hidden")
    other.__cause__ = other
    assert start_failure(other).application_failure_info.type == "ValueError"
