"""The text of API keys: a typo is seen offline, and keys of version 0.1 stay valid."""

import pytest

from domain.api_keys import SHOWN, is_key_text, new_key_text


def test_a_new_key_has_one_word_and_a_checksum() -> None:
    key = new_key_text()
    assert len(key) == 3 + 43 + 6
    assert key.startswith("sk_")
    assert key.replace("_", "").isalnum()
    assert is_key_text(key)
    assert len(key[:SHOWN]) == 9
    assert new_key_text() != key


@pytest.mark.parametrize("place", [3, 20, 45, 46, 51])
def test_a_mistyped_key_is_seen(place: int) -> None:
    key = new_key_text()
    other = "a" if key[place] != "a" else "b"
    assert not is_key_text(key[:place] + other + key[place + 1 :])


def test_a_key_that_is_cut_off_or_has_more_is_seen() -> None:
    key = new_key_text()
    assert not is_key_text(key[:-1])
    assert not is_key_text(key + "a")
    assert not is_key_text("sk-" + key[3:])


def test_keys_of_version_0_1_stay_valid() -> None:
    assert is_key_text("sk_" + "aB0-_" * 8 + "abc")
