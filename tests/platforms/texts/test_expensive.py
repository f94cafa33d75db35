"""Work that several targets of one request need is done once, and its total is bounded."""

import pytest

from platforms.texts.expensive import TooMuchText, expensive, one_request

seen: list[str] = []


@expensive
def size(text: str, factor: int = 1) -> int:
    seen.append(text)
    return len(text) * factor


@pytest.fixture(autouse=True)
def nothing_seen() -> None:
    seen.clear()


def test_a_text_is_read_once_within_a_request() -> None:
    with one_request():
        assert [size("abc"), size("abc"), size("abc", 2), size("abc", factor=2)] == [3, 3, 6, 6]
    assert seen == ["abc"] * 3
    size("abc")
    assert len(seen) == 4


def test_repeated_texts_are_counted_once() -> None:
    with one_request(most=5):
        size("abc")
        size("abc")
        size("de")
        with pytest.raises(TooMuchText):
            size("f")
        assert size("abc") == 3
    assert size("x" * 10) == 10
