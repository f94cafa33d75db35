"""Reading Prefer."""

import pytest
from litestar.testing import RequestFactory

from api.http.headers import preferred_wait


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=10", 10),
        ("wait=0", 0),
        ("WAIT = 7", 7),
        ('wait="5"', 5),
        ("respond-async, wait=10", 10),
        ("wait=3; note=x", 3),
        ("wait=3, wait=9", 3),
        ("wait=100", 60),
        ("wait=-1", None),
        ("wait=ten", None),
        ("wait=1.5", None),
        ("wait=9999999999999", None),
        ("wait=٣", None),
        ("wait", None),
        (",,;=", None),
        ("", None),
    ],
)
def test_wait(prefer: str, seconds: int | None) -> None:
    request = RequestFactory().get("/", headers={"Prefer": prefer})
    assert preferred_wait(request) == seconds


def test_nothing_is_preferred_by_default() -> None:
    assert preferred_wait(RequestFactory().get("/")) is None
