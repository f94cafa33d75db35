"""The problems of many rows for a person: with the text of the cell, and those that are equal as one."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from pydantic import BaseModel
from pydantic.alias_generators import to_snake

from domain.errors import Problem

ProblemKey = tuple[str, str | None, str]
"""A problem without its row and its cell's text."""
_LONGEST_SHOWN = 80
"""Characters of a cell that a problem shows."""
_MOST_EQUAL = 10
"""Rows with the same problem that are listed one by one; more are one problem."""
_SERIAL = re.compile(r"[1-9]\d{4}(?:[.,]\d+)?")
_DAY_OR_MONTH = re.compile(r"(\d{1,2})[./-](\d{1,2})[./-]\d{2,4}\b.*", re.DOTALL)
_TWO_DIGITS = 12


def show_text(text: str) -> str:
    """Return the beginning of a cell in quotes."""
    return f"“{cut(text)}”"


def cut(text: str) -> str:
    """Return the beginning of a text."""
    return text if len(text) <= _LONGEST_SHOWN else f"{text[: _LONGEST_SHOWN - 1]}…"


def show_value(problem: Problem, body: Any) -> str | None:
    """Return the beginning of what the field of a problem holds, in a body or an object; None if it holds nothing."""
    parts = (problem.param or "").split(".")
    value = body
    for part in parts:
        if isinstance(value, Mapping):
            value = value.get(part)
        elif isinstance(value, BaseModel):
            value = getattr(value, to_snake(part), None)
        elif isinstance(value, list) and part.isdecimal() and part.isascii():
            value = value[int(part[:6])] if int(part[:6]) < len(value) else None
        else:
            value = None
    if value is None or isinstance(value, BaseModel | Mapping | list) or value == "":
        return None
    text = value if isinstance(value, str) else json.dumps(value)
    hint = _hint(text.strip()) if parts == ["scheduledFor"] else ""
    return show_text(text) + hint


def _hint(text: str) -> str:
    """Return what a wrong time looks like."""
    if _SERIAL.fullmatch(text):
        return ", which looks like Excel's serial number of a date: format the column as text"
    if match := _DAY_OR_MONTH.fullmatch(text):
        if max(int(match[1]), int(match[2])) <= _TWO_DIGITS:
            return ", in which day and month cannot be told apart"
        return ", which looks like a date with the year at its end"
    return ""


def problem_key(problem: Problem) -> ProblemKey:
    """Return what problems of several rows have in common if they are equal, whether they name their row or not."""
    row = f".{problem.row}."
    param, (name, _, rest) = problem.param, problem.error.partition(row)
    is_named = bool(rest) and " " not in name
    return problem.code, param.rpartition(row)[2] if param else None, rest if is_named else problem.error


def grouped(problems: Sequence[Problem], unlisted: Counter[ProblemKey], total: int) -> Iterator[Problem]:
    """Yield the problems of rows, one for all rows that have the same. `total`: the number of all rows."""
    rows: dict[ProblemKey, list[int]] = defaultdict(list)
    for problem in problems:
        rows[problem_key(problem)].append(problem.row or 0)
    for problem in problems:
        same = rows[key := problem_key(problem)]
        count = len(same) + unlisted[key]
        if problem.row is None or count <= _MOST_EQUAL:
            yield problem
        elif problem.row == same[0]:
            column = f"column {key[1]}: " if key[1] else ""
            of_all = f"all {count:,} rows" if count == total else f"{count:,} rows"
            value = f"{problem.value or 'the same'} ({column}{of_all}, first {', '.join(map(str, same[:3]))})"
            yield replace(problem, value=value, rows=tuple(same[:_MOST_EQUAL]), count=count)
