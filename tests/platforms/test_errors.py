"""Properties that all kinds of errors share."""

from datetime import timedelta

from platforms.errors import LONGEST_LIMIT, ErrorKind, PlatformError


def limited(wait: timedelta | None) -> PlatformError:
    return PlatformError(ErrorKind.RATE_LIMITED, "Slow down.", code="slow", retry_after=wait)


def test_a_limit_that_takes_hours_is_a_cap() -> None:
    assert limited(None).kind is ErrorKind.RATE_LIMITED
    assert limited(LONGEST_LIMIT).kind is ErrorKind.RATE_LIMITED
    capped = limited(LONGEST_LIMIT + timedelta(seconds=1))
    assert (capped.kind, str(capped)) == (ErrorKind.CAPPED, "capped (slow)")


def test_texts_of_an_error_are_short_and_printable() -> None:
    error = PlatformError(ErrorKind.REJECTED, "No." * 500, code="bad\nline\x1b[0m" + "x" * 500, request_id="r" * 500)
    assert (len(error.message), len(error.code), len(error.request_id or "")) == (500, 128, 128)
    assert error.code.isprintable()
    assert str(error).isprintable()
