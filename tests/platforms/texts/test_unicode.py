"""Normal forms and clusters as the libraries compute them, at a cost that grows linearly with the text."""

import unicodedata

import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from platforms.texts.unicode import LONGEST_RUN, graphemes, nfc, nfkc

SIGNS = (
    "ae\u0301\u0323\u0327\u0345\u1100\u1161\u4e2d\U0001f1e6\U0001f1e7\u200d\ufe0f\U0001f468\U0001f3fb\r\n\u0600\ufdfa"
)


@given(st.text(alphabet=SIGNS, max_size=30) | st.text(max_size=30))
def test_counts_as_the_official_libraries_do(text: str) -> None:
    assert nfc(text) == unicodedata.normalize("NFC", text)
    assert nfkc(text) == unicodedata.normalize("NFKC", text)
    assert graphemes(text) == len(regex.findall(r"\X", text))


@pytest.mark.parametrize("marks", [LONGEST_RUN - 1, LONGEST_RUN, LONGEST_RUN + 1, 1000])
def test_many_marks_keep_their_letter_and_their_number(marks: int) -> None:
    text = "e" + "\u0323\u0301" * marks
    assert nfc(text)[0] == "\u1eb9"
    assert len(nfc(text)) == 2 * marks
    assert graphemes(text) == 1
