"""Sentences and names follow CONTRIBUTING.md, as far as a program can check."""

from pathlib import Path

import pytest

from tests.language import PARTS, complaints, files


@pytest.mark.thorough
@pytest.mark.parametrize("part", PARTS)
def test_sentences_and_names_follow_the_rules(part: str) -> None:
    found = [str(complaint) for file in files(part) for complaint in complaints(file)]
    assert found == []


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ('class A:\n    """Be a thing."""\n', "no noun phrase"),
        ('class A:\n    """What a thing is."""\n', "no noun phrase"),
        ('"""How fast a key may go."""\n', "no noun phrase"),
        ("# What is late is tried again.\n", "no subject"),
        ('"""Read a body. What it repeats is left out."""\n', "no subject"),
        ("# Whoever comes, waits.\n", "whoever"),
        ('"""It is read anew."""\n', "anew"),
        ('raise ValueError("This shall not be.")\n', "shall"),
        ('raise ValueError("The operator mended it.")\n', "mended"),
        ("# It goes on.\n", "goes on"),
        ("# The network refuses it.\n", "platform"),
        ("def take_up_what_was_told() -> None: ...\n", "told"),
        ("class JudgeOfSends: ...\n", "JudgeOfSends"),
        (f"def test_{'a' * 90}() -> None: ...\n", "letters"),
    ],
)
def test_violations_are_found(tmp_path: Path, source: str, said: str) -> None:
    file = tmp_path / "module.py"
    file.write_text(source)
    (complaint,) = complaints(file)
    assert said in str(complaint)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("def test_what_is_late_is_tried_again() -> None: ...\n", "subject"),
        ("def test_a_video_goes_on() -> None: ...\n", "subject"),
        ("told = 1\n", "reported"),
        ("def tell() -> None: ...\n", "report"),
        ("# A server tells.\n", "report"),
        ('assert found, "nobody has asked"\n', "nobody"),
        ('assert found, f"what {found} says is read"\n', "no subject"),
    ],
)
def test_violations_in_tests_are_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, said: str) -> None:
    monkeypatch.setattr("tests.language.ROOT", tmp_path)
    (tmp_path / "tests").mkdir()
    file = tmp_path / "tests" / "module.py"
    file.write_text(source)
    (complaint,) = complaints(file)
    assert said in str(complaint)
    file.write_text('post = "what nobody was told, and goes on"\n')
    assert list(complaints(file)) == [], "texts of posts are free"


@pytest.mark.parametrize("source", ["# What is late?\n", 'a = 1\n"""What the caller asked for."""\n'])
def test_a_question_and_the_phrase_of_an_attribute_may_begin_with_what(tmp_path: Path, source: str) -> None:
    file = tmp_path / "module.py"
    file.write_text(source)
    assert list(complaints(file)) == []
