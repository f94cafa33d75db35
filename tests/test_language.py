"""Sentences and names follow CONTRIBUTING.md, as far as a program can check."""

from pathlib import Path

import pytest

from tests.language import PARTS, complaints, files


@pytest.mark.parametrize("part", PARTS)
def test_sentences_and_names_follow_the_rules(part: str) -> None:
    assert [str(complaint) for file in files(part) for complaint in complaints(file)] == []


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ('class A:\n    """Return a thing."""\n', "no noun phrase"),
        ('class A:\n    """What a thing is."""\n', "no noun phrase"),
        ('"""How fast a key may go."""\n', "no noun phrase"),
        ("# What is late is tried again.\n", "no subject"),
        ('"""Read a body. What it repeats is left out."""\n', "no subject"),
        ("# Whoever comes, waits.\n", "whoever"),
        ('"""It is read anew."""\n', "anew"),
        ('raise ValueError("This shall not be.")\n', "shall"),
        ("# It goes on.\n", "goes on"),
        (f"def test_{'a' * 90}() -> None: ...\n", "letters"),
        ("def test_what_is_late_is_tried_again() -> None: ...\n", "subject"),
        ("for each in posts: ...\n", "each"),
        ("def row(found): ...\n", "found"),
        ("self._kept = 1\n", "_kept"),
        ("def given() -> None: ...\n", "given"),
        ("def row_of(post): ...\n", "row_of"),
        ("def of(post): ...\n", "of"),
    ],
)
def test_violations_are_reported(tmp_path: Path, source: str, problem: str) -> None:
    file = tmp_path / "module.py"
    file.write_text(source)
    (complaint,) = complaints(file)
    assert problem in str(complaint)


def test_texts_of_posts_in_tests_are_free(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.language.ROOT", tmp_path)
    (tmp_path / "tests").mkdir()
    file = tmp_path / "tests" / "module.py"
    file.write_text('post = "what nobody has, and goes on"\n')
    assert list(complaints(file)) == []
    file.write_text('assert post, f"what {post} says is read"\n')
    (complaint,) = complaints(file)
    assert "no subject" in str(complaint)


@pytest.mark.parametrize(
    "source",
    [
        "# What is late?\n",
        'a = 1\n"""What the caller asked for."""\n',
        "row.found.kept(given=1)\n",
        "def proof(offset, profile): ...\n",
    ],
)
def test_questions_attributes_and_the_names_of_others_are_free(tmp_path: Path, source: str) -> None:
    file = tmp_path / "module.py"
    file.write_text(source)
    assert list(complaints(file)) == []
