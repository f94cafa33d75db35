"""The rows of an import: JSON as a list or by lines, or CSV (RFC 4180) with a post's fields as columns."""

import csv
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from api.http.body import LARGEST_ROW, MAX_PROBLEMS, JsonObject, SplitBody, parse_object
from api.http.suggest import did_you_mean
from api.posts.bodies.schemas import PostBody
from api.posts.many.checking import MOST_ROWS, Row
from api.posts.many.problems import show_text
from domain.content import parse_named_media
from domain.errors import InvalidRequest, Problem
from domain.ids import is_post_id

_ROW = "The row"
_BLANK = re.compile(rb"[ \t\r\n]*")
_UTF8_MARK = b"\xef\xbb\xbf"


def list_rows(body: SplitBody) -> Iterator[Row]:
    """Yield the items of a list; their numbers are their places in it."""
    for number, (begin, end) in enumerate(body.items or ()):
        yield _json_row(number, body.raw[begin:end])


def line_rows(raw: bytearray) -> Iterator[Row]:
    """Yield the lines of newline-delimited JSON; blank ones are no rows. Lines are counted from 1."""
    at, number = len(_UTF8_MARK) if raw.startswith(_UTF8_MARK) else 0, 1
    while True:
        begin = _skip_blank(raw, at)
        if begin == len(raw):
            return
        number += raw.count(b"\n", at, begin)
        end = raw.find(b"\n", begin)
        at = len(raw) if end < 0 else end
        yield _json_row(number, raw[begin:at]) if at - begin <= LARGEST_ROW else _refused(number, _TOO_LARGE)


def _skip_blank(raw: bytearray, at: int) -> int:
    match = _BLANK.match(raw, at)
    return match.end() if match else at


def _json_row(number: int, text: bytearray) -> Row:
    try:
        body: JsonObject = parse_object(text, _ROW)
    except InvalidRequest as error:
        return Row(number, {}, error.problems)
    return Row(number, body)


def _refused(number: int, problem: Problem) -> Row:
    return Row(number, {}, (problem,))


_TOO_LARGE = Problem(f"{_ROW} is larger than {LARGEST_ROW // 2**20} MiB", "invalid_json")


_LONGEST_HEADER = 64 * 1024
_DELIMITERS = (",", ";", "\t")
_SEPARATORS = frozenset(f"sep={delimiter}" for delimiter in _DELIMITERS)
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_SAVE_AS = "save it as UTF-8 (in Excel: CSV UTF-8)"
_DELAY = re.compile(r"P[0-9A-Z]+")
_FLAGS = {"true": True, "false": False}


class _CellError(ValueError):
    """An error: a cell cannot be read. The message continues a sentence that begins with the column's name."""


@dataclass(frozen=True, slots=True)
class _Column:
    name: str
    read: Callable[[str], Any]


def csv_rows(raw: bytearray) -> Iterator[Row]:
    """Yield the rows below the header, by the line on which each begins; empty ones are no rows.

    Raises InvalidRequest with one problem if the file cannot be read any further.
    """
    lines = _Lines(raw)
    delimiter, columns = _read_header(lines)
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    blank_rows = 0
    while True:
        lines.begin_row()
        try:
            cells = next(reader, None)
        except csv.Error as error:
            raise _broken(lines.row, _explain(str(error))) from None
        if cells is None:
            return
        if any(map(str.strip, cells)):
            yield _row(lines.row, columns, cells)
            continue
        blank_rows += 1
        if blank_rows > MOST_ROWS:
            raise _broken(lines.row, f"more than {MOST_ROWS:,} rows are empty; delete them")


class _Lines:
    """The lines of a file as text, one after the other, each with its end."""

    def __init__(self, raw: bytearray) -> None:
        if raw.startswith(_UTF16_MARKS) or b"\0" in raw:
            raise InvalidRequest(Problem(f"The file is UTF-16, or no text: {_SAVE_AS}", "invalid_csv"))
        self._raw = raw
        self._at = len(_UTF8_MARK) if raw.startswith(_UTF8_MARK) else 0
        self._number = 0
        self._row_at = self._at
        self.row = 1
        """The line on which the present row begins, from 1."""

    def begin_row(self) -> None:
        """Begin a row with the next line."""
        self.row, self._row_at = self._number + 1, self._at

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if self._at == len(self._raw):
            raise StopIteration
        end = self._raw.find(b"\n", self._at) + 1 or len(self._raw)
        if end - self._row_at > LARGEST_ROW:
            raise _broken(self.row, f"the row is larger than {LARGEST_ROW // 2**20} MiB: is a quote missing?")
        line = self._raw[self._at : end]
        self._at, self._number = end, self._number + 1
        try:
            return line.decode()
        except UnicodeDecodeError:
            raise _broken(self._number, f"the file is not UTF-8: {_SAVE_AS}") from None


def _explain(error: str) -> str:
    """Return what is wrong with a file, for a sentence of the module csv."""
    if "field limit" in error:
        return f"a cell has more than {csv.field_size_limit():,} characters: is a quote missing?"
    if "end of data" in error:
        return "a cell that begins with a quote has no quote at its end"
    if "expected after" in error:
        return "a quote in the middle of a cell: write it twice, and put quotes around the cell"
    return "a line ends with a carriage return alone: save the file with other line ends"


def _broken(line: int, sentence: str) -> InvalidRequest:
    return InvalidRequest(Problem(f"Line {line}: {sentence}", "invalid_csv", row=line))


def _read_header(lines: _Lines) -> tuple[str, list[_Column]]:
    """Return the file's delimiter and its columns. Raises InvalidRequest."""
    header = next(lines, "").rstrip("\r\n")
    if header.lower() in _SEPARATORS:
        # Excel reads and writes such a line to say which delimiter follows.
        lines.begin_row()
        header = next(lines, "").rstrip("\r\n")
    if not header.strip():
        raise InvalidRequest(Problem("The first line must name the columns, as externalId,content", "invalid_csv"))
    if len(header) > _LONGEST_HEADER:
        raise _broken(1, f"the header is longer than {_LONGEST_HEADER // 1024} KiB")
    delimiter = max(_DELIMITERS, key=header.count)
    try:
        (names,) = csv.reader([header], delimiter=delimiter, strict=True)
    except (csv.Error, ValueError) as error:
        raise _broken(1, f"the header cannot be read: {_explain(str(error))}") from None
    names = [_NAMES.get(name.strip().lower(), name.strip()) for name in names]
    while names and not names[-1]:
        # Columns to the right of the table, which spreadsheet programs keep although they are empty.
        names.pop()
    wrong_columns = (problem for at, name in enumerate(names) if (problem := _column_problem(name, names[:at], at)))
    if problems := list(islice(wrong_columns, MAX_PROBLEMS)):
        raise InvalidRequest(problems)
    return delimiter, [_COLUMNS[name] for name in names]


def _column_problem(name: str, earlier: Sequence[str], at: int) -> Problem | None:
    if not name:
        return Problem(f"Column {at + 1} has no name in the header", "invalid_csv", row=1)
    if name not in _COLUMNS:
        hint = did_you_mean(name, _COLUMNS)
        return Problem(f"{name[:100]} is not a known column{hint}", "unknown_parameter", name[:100], row=1)
    if name in earlier:
        return Problem(f"{name} is the name of two columns", "invalid_csv", name, row=1)
    return None


def _row(number: int, columns: Sequence[_Column], cells: Sequence[str]) -> Row:
    if not any(map(str.strip, cells[len(columns) :])):
        cells = cells[: len(columns)]
    if len(cells) != len(columns):
        sentence = f"The row has {len(cells):,} cells, and the header has {len(columns):,}"
        return Row(number, {}, (Problem(sentence, "invalid_csv"),))
    body: JsonObject = {}
    problems: list[Problem] = []
    for column, cell in zip(columns, cells, strict=True):
        if not cell.strip():
            continue
        try:
            body[column.name] = column.read(cell)
        except _CellError as error:
            sentence = f"{column.name} {error}"
            problems.append(Problem(sentence, "invalid_field_value", column.name, value=show_text(cell)))
    return Row(number, body, problems)


def _read_flag(cell: str) -> bool:
    flag = _FLAGS.get(cell.strip().lower())
    if flag is None:
        raise _CellError("must be true or false")
    return flag


def _read_number(cell: str) -> int:
    if not re.fullmatch(r"[0-9]{1,9}", cell.strip()):
        raise _CellError("must be a whole number")
    return int(cell)


def _read_tags(cell: str) -> list[str]:
    return [tag for part in cell.split(",") if (tag := part.strip())]


def _read_json(cell: str) -> Any:
    try:
        # As strictly as a body.
        return parse_object(f'{{"cell":{cell}}}'.encode())["cell"]
    except InvalidRequest:
        raise _CellError("is not valid JSON") from None


def _read_platforms(cell: str) -> Any:
    if cell.lstrip().startswith("["):
        return _read_json(cell)
    targets = []
    for name in cell.split():
        platform, colon, account_id = name.partition(":")
        if not (platform and colon and account_id):
            raise _CellError("must be accounts as platform:accountId, with a space between two, as in twitter:tw_456")
        targets.append({"platform": platform, "accountId": account_id})
    return targets


def _read_media(cell: str) -> Any:
    if cell.lstrip().startswith("["):
        return _read_json(cell)
    return [_read_medium(name) for name in cell.split()]


def _read_medium(name: str) -> JsonObject:
    medium = parse_named_media(name)
    if medium is None:
        raise _CellError("has a file whose type its address does not show: put it in front, as in image:https://…")
    return dict(medium)


def _read_after(cell: str) -> Any:
    if cell.lstrip().startswith("{"):
        return _read_json(cell)
    name, _, last = cell.strip().rpartition(" ")
    if not name or not _DELAY.fullmatch(last):
        name, last = cell.strip(), ""
    after = {"postId" if is_post_id(name) else "externalId": name}
    return after | ({"delay": last} if last else {})


_READERS: dict[str, Callable[[str], Any]] = {
    "after": _read_after,
    "platforms": _read_platforms,
    "mediaItems": _read_media,
    "tags": _read_tags,
    "publishNow": _read_flag,
    "isDraft": _read_flag,
    "publishWithin": _read_number,
    "tiktokSettings": _read_json,
    "facebookSettings": _read_json,
    "content": str,
}
_COLUMNS = {
    name: _Column(name, _READERS.get(name, str.strip))
    for name in (field.alias or key for key, field in PostBody.model_fields.items())
}
"""The fields of a post, by the names that columns have. A field without a reader of its own is text."""
_NAMES = {name.lower(): name for name in _COLUMNS}
"""The names of columns by their small letters: a spreadsheet may capitalize them."""
