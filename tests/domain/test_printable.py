import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.printable import make_printable


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
