"""People's decisions about posts whose answer was lost, as lines of a CSV file."""

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from cli.errors import UserError

MOST_ENTRIES = 10_000
LARGEST_FILE = 4 * 2**20
"""Bytes."""
_REQUIRED = ("postId", "platform", "outcome")
_OUTCOMES = {"published": True, "not_published": False, "not-published": False}
_SHOWN = 20
"""How many bad lines are named; further ones are only counted."""


@dataclass(frozen=True, slots=True)
class Decision:
    """A person's decision about one target. `line`: its line in the file; 0 if it was given on the command line."""

    line: int
    post_id: str
    platform: str
    published: bool
    account_id: str | None = None
    """None: the post's only target on the platform."""
    platform_post_id: str | None = None
    """Its id on the platform, or the address of its page."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """The decisions of a file, and how many of its lines have none yet."""

    decisions: list[Decision]
    open: int


class BadLines:
    """The lines that cannot be carried out, by their number."""

    def __init__(self) -> None:
        self._lines: list[str] = []

    def add(self, line: int, why: str) -> None:
        """Record why a line cannot be carried out."""
        self._lines.append(f"line {line}: {why}" if line else why)

    def refuse_if_any(self) -> None:
        """Raise UserError that names the bad lines, if there are any."""
        if not self._lines:
            return
        more = len(self._lines) - _SHOWN
        rest = [f"… and {more} more"] if more > 0 else []
        raise UserError("\n".join(["Nothing was changed.", *self._lines[:_SHOWN], *rest]))


def read_decisions(path: Path) -> Decisions:
    """Read a file with the columns postId, platform and outcome, and optionally accountId and platformPostId.

    Other columns are ignored, so that the output of `waiting --for person --csv` can be filled in. A line without an
    outcome is left for later. Raises UserError, which names each bad line.
    """
    text, bad = _read_text(path), BadLines()
    lines = csv.DictReader(text.splitlines(), strict=True)
    decisions, undecided = list[Decision](), 0
    try:
        if missing := [name for name in _REQUIRED if name not in (lines.fieldnames or ())]:
            raise UserError(f"{path}: the first line must name the columns; missing: {', '.join(missing)}.")
        for number, line in _numbered(lines, path):
            if not (line["outcome"] or "").strip():
                undecided += 1
            elif decision := _decision(number, line, bad):
                decisions.append(decision)
    except csv.Error as error:
        bad.add(lines.reader.line_num, f"{error}.")
    bad.refuse_if_any()
    return Decisions(decisions, undecided)


def _read_text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
        if len(content) > LARGEST_FILE:
            raise UserError(f"{path} is larger than {LARGEST_FILE // 2**20} MiB. Split it.")
        return content.decode("utf-8-sig")
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise UserError(f"{path} is not UTF-8.") from None


def _numbered(lines: "csv.DictReader[str]", path: Path) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    for line in islice(lines, MOST_ENTRIES):
        yield lines.line_num, line
    if next(lines, None) is not None:
        raise UserError(f"{path} has more than {MOST_ENTRIES:,} lines. Split it.")


def _decision(number: int, line: Mapping[str, str | None], bad: BadLines) -> Decision | None:
    cells = {name: (line.get(name) or "").strip() for name in (*_REQUIRED, "accountId", "platformPostId")}
    outcome = cells["outcome"].lower()
    if outcome not in _OUTCOMES:
        bad.add(number, f"{cells['outcome']!r} is no outcome; it must be published or not_published.")
    elif not cells["postId"] or not cells["platform"]:
        bad.add(number, "postId and platform must be given.")
    else:
        return Decision(
            number,
            cells["postId"],
            cells["platform"],
            _OUTCOMES[outcome],
            cells["accountId"] or None,
            cells["platformPostId"] or None,
        )
    return None
