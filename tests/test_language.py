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


@pytest.mark.parametrize("source", ["# What is late?\n", 'a = 1\n"""What the caller asked for."""\n'])
def test_a_question_and_the_phrase_of_an_attribute_may_begin_with_what(tmp_path: Path, source: str) -> None:
    file = tmp_path / "module.py"
    file.write_text(source)
    assert list(complaints(file)) == []
