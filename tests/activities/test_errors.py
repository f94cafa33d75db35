"""Temporal's SDK logs a trace of faults of this service, counts them, and does neither for other errors."""

from collections.abc import Iterator

import pytest
from temporalio.exceptions import ApplicationErrorCategory
from temporalio.testing import ActivityEnvironment

from activities.errors import retry_error
from domain.plan import KEY_MISSING, NO_DISK_SPACE
from platforms.errors import ErrorKind, PlatformError
from platforms.registry import platforms


def failures() -> Iterator[tuple[PlatformError, bool]]:
    yield PlatformError(ErrorKind.RATE_LIMITED, "Wait.", code="rate_limited", status=429), True
    yield PlatformError(ErrorKind.TRANSIENT, "It failed.", code="http_503", status=503), True
    yield PlatformError(ErrorKind.TRANSIENT, "It could not be reached.", code="unreachable"), True
    yield PlatformError(ErrorKind.TRANSIENT, "The disk is full.", code=NO_DISK_SPACE), True
    yield PlatformError(ErrorKind.TRANSIENT, "The key is missing.", code=KEY_MISSING), True
    yield PlatformError(ErrorKind.TRANSIENT, "The decoder broke.", code="decoder_unavailable"), False


@pytest.mark.parametrize(("error", "is_expected"), list(failures()))
def test_only_faults_of_this_service_count(error: PlatformError, is_expected: bool) -> None:
    raised = ActivityEnvironment().run(lambda: retry_error(platforms()["twitter"], error))
    assert (raised.category is ApplicationErrorCategory.BENIGN) is is_expected
