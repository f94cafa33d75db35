"""Files are read row by row, and a hostile one is refused with one clear error."""

import gc
import json
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial
from itertools import islice
from typing import Any

import httpx
import pytest

from api.http.body import LARGE_BYTES, LARGEST_ROW, split_body
from api.imports.rows import csv_rows, line_rows, list_rows
from api.posts.many.checking import MOST_ROWS, Row
from domain.errors import InvalidRequest, Problem
from domain.ids import new_id
from domain.loop_share import LoopShare
from tests.api.conftest import Client
from tests.api.test_limits import MOST_S

TURN = LoopShare(heavy=False)
Bodies = list[tuple[int, dict[str, Any]]]


def from_csv(text: str) -> Bodies:
    rows = list(csv_rows(bytearray(text.encode())))
    assert not [row.problems for row in rows if row.problems]
    return [(row.number, row.body) for row in rows]


def refusal(raw: bytes) -> Problem:
    with pytest.raises(InvalidRequest) as error:
        list(csv_rows(bytearray(raw)))
    (problem,) = error.value.problems
    return problem


def test_cells_become_the_fields_of_a_post() -> None:
    header = "externalId,content,platforms,mediaItems,scheduledFor,timezone,tags,isDraft,publishWithin,tiktokSettings\n"
    cells = (
        'a-1,"Two ""lines"",\nof text",twitter:tw_1 bluesky:did:plc:x,'
        "https://example.com/a.JPG?x=1 video:https://example.com/b,2030-01-02T09:00,Europe/Berlin,"
        '"one, two words",TRUE, 3600 ,"{""privacyLevel"": ""SELF_ONLY""}"\n'
    )
    ((number, body),) = from_csv(header + cells)
    assert number == 2
    assert body == {
        "externalId": "a-1",
        "content": 'Two "lines",\nof text',
        "platforms": [
            {"platform": "twitter", "accountId": "tw_1"},
            {"platform": "bluesky", "accountId": "did:plc:x"},
        ],
        "mediaItems": [
            {"type": "image", "url": "https://example.com/a.JPG?x=1"},
            {"type": "video", "url": "https://example.com/b"},
        ],
        "scheduledFor": "2030-01-02T09:00",
        "timezone": "Europe/Berlin",
        "tags": ["one", "two words"],
        "isDraft": True,
        "publishWithin": 3600,
        "tiktokSettings": {"privacyLevel": "SELF_ONLY"},
    }


def test_a_list_in_a_cell_may_be_json() -> None:
    target = {"platform": "twitter", "accountId": "a", "customContent": "x"}
    quoted = json.dumps([target]).replace('"', '""')
    assert from_csv(f'platforms\n"{quoted}"\n') == [(2, {"platforms": [target]})]


@pytest.mark.parametrize("mark", ["", "\N{ZERO WIDTH NO-BREAK SPACE}"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_header_shows_the_delimiter(mark: str, delimiter: str, end: str) -> None:
    lines = ["externalId content".replace(" ", delimiter), delimiter.join(("1", '"a, b; c"')), delimiter, ""]
    assert from_csv(mark + end.join(lines)) == [(2, {"externalId": "1", "content": "a, b; c"})]


def test_rows_are_numbered_by_their_first_lines() -> None:
    assert [number for number, _ in from_csv('content\n"1\n\n2"\n\n\n3\n')] == [2, 7]


def test_wrong_cells_are_problems_of_their_rows() -> None:
    text = (
        "content,platforms,mediaItems,isDraft,publishWithin,tiktokSettings\nx,twitter,https://x.org/a,yes,1.5,{\n1,2\n"
    )
    first, second = csv_rows(bytearray(text.encode()))
    assert [problem.param for problem in first.problems] == [
        *("platforms", "mediaItems", "isDraft", "publishWithin", "tiktokSettings")
    ]
    assert [problem.error for problem in second.problems] == ["The row has 2 cells, and the header has 6"]


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        (b"", "The first line must name the columns"),
        (b"externalId,contnet\n", "contnet is not a known column; did you mean content?"),
        (b"content,content\n", "content is the name of two columns"),
        (b"content,,tags\n", "Column 2 has no name in the header"),
        (b"content\n" + b"x" * 200_000, "Line 2: a cell has more than 131,072 characters"),
        (
            b'content\n1\n"never ends\n' + b"x\n" * 100,
            "Line 3: a cell that begins with a quote has no quote at its end",
        ),
        (b'content\n"' + b"\n" * 2_000_000, "Line 2: "),
        (b'content\n"a"b\n', "Line 2: a quote in the middle of a cell"),
        (b"content\na\rb\n", "Line 2: a line ends with a carriage return alone"),
        (b"content\na\0b\n", "The file is UTF-16, or no text"),
        ("content\nx\n".encode("utf-16"), "The file is UTF-16, or no text"),
        ("content\nGr\N{LATIN SMALL LETTER U WITH DIAERESIS}n\n".encode("latin-1"), "Line 2: the file is not UTF-8"),
        (b"," * 1_000_000 + b"\n", "Line 1: the header is longer than 64 KiB"),
        (b"content\n" + b"x," * 1_000_000, "Line 2: the row is larger than 1 MiB"),
        (b"content\n" + b"\n" * (MOST_ROWS + 1), "more than 10,000 rows are empty"),
    ],
)
def test_a_hostile_file_gets_one_clear_error(raw: bytes, sentence: str) -> None:
    assert sentence in refusal(raw).error


def test_lines_are_objects_by_their_numbers() -> None:
    raw = b'\xef\xbb\xbf\n{"content": "1"}\r\n\n  {"content": "2"}\n[]\n{"a": 1, "a": 2}\n\xff\n' + b"x" * (
        LARGEST_ROW + 1
    )
    rows = list(line_rows(bytearray(raw)))
    assert [(row.number, row.body) for row in rows[:2]] == [(2, {"content": "1"}), (4, {"content": "2"})]
    assert [(row.number, row.problems[0].error) for row in rows[2:]] == [
        (5, "The row must be a JSON object"),
        (6, "The row is not valid JSON: the key 'a' is given twice"),
        (7, "The row is not valid UTF-8"),
        (8, "The row is larger than 1 MiB"),
    ]


async def split(text: str | bytes, most: int = MOST_ROWS) -> tuple[dict[str, Any], Bodies]:
    raw = bytearray(text.encode() if isinstance(text, str) else text)
    body = await split_body(raw, "posts", most, TURN)
    return body.fields, [(row.number, row.body) for row in list_rows(body)]


async def test_a_list_is_read_item_by_item() -> None:
    posts = [{"content": "x" * size, "n": [{"a": "\N{GRINNING FACE}]}"}]} for size in (0, 4050, 4095, 5_000, 70_000)]
    for ascii_only in (True, False):
        text = json.dumps({"name": "n", "posts": posts, "tags": ["}"]}, ensure_ascii=ascii_only, indent=1)
        assert await split(text) == ({"name": "n", "tags": ["}"]}, list(enumerate(posts)))
    assert await split(' { "posts" : [ ] } ') == ({}, [])
    assert (await split('{"number": 12, "posts": [{}, {}]}'))[0] == {"number": 12}


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "The body must be a JSON object"),
        ("[]", "The body must be a JSON object"),
        ('{"posts": {}}', "posts must be an array"),
        ('{"posts": [{}', "The body is not valid JSON"),
        ('{"posts": [{}]} x', "The body is not valid JSON"),
        ('{"posts": [{},]}', "The body is not valid JSON"),
        ('{"posts": [], "posts": []}', "the key 'posts' is given twice"),
        ('{"a": 1, "a": 2, "posts": []}', "the key 'a' is given twice"),
        ('{"posts": [{"content": "' + "x" * LARGEST_ROW + '"}]}', "posts.0 is larger than 1 MiB"),
        ('{"posts": [' + "[" * 100_000, "nested too deep"),
        ('{"posts": [{},{},{}]}', "posts may hold at most 2 items"),
        (b'{"posts": [{"content": "\xff"}]}', "The body is not valid UTF-8"),
        ('{"a": "' + "x" * LARGEST_ROW + '", "posts": []}', "larger than 1 MiB"),
        ('{"a": "' + "x" * (LARGEST_ROW - 9) + '", "b": "x", "posts": []}', "Beside posts"),
    ],
)
async def test_a_hostile_list_gets_one_clear_error(text: str | bytes, sentence: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        await split(text, 2)
    assert sentence in error.value.first.error


class Stopwatch(LoopShare):
    """A share of the event loop that measures the longest work between two of its pauses."""

    def __init__(self) -> None:
        super().__init__(heavy=False)
        self.longest_s = 0.0
        self._began = time.process_time()

    async def pause(self) -> None:
        now = time.process_time()
        self.longest_s, self._began = max(self.longest_s, now - self._began), now


FLOODS: dict[str, Callable[[], bytes]] = {
    "blank lines": lambda: b"\n" * LARGE_BYTES,
    "one line": lambda: b"x" * LARGE_BYTES,
    "lines of a character": lambda: b"x\n" * (LARGE_BYTES // 2),
    "empty lists": lambda: b"[" + b"[]," * (LARGE_BYTES // 3),
    "brackets": lambda: b"[" * LARGE_BYTES,
    "quotes": lambda: b'"' * LARGE_BYTES,
    "commas": lambda: b"," * LARGE_BYTES,
    "spaces": lambda: b'{"posts": [' + b" " * (LARGE_BYTES - 100) + b"]}",
    "items": lambda: b'{"posts": [' + b"{}," * (LARGE_BYTES // 3 - 10) + b"{}]}",
    "numbers": lambda: b'{"posts": [' + b"1," * (LARGE_BYTES // 2 - 10) + b"1]}",
    "a long number": lambda: b'{"posts": [' + b"1" * (LARGE_BYTES - 20) + b"]}",
    "a long name": lambda: b'{"' + b"x" * (LARGE_BYTES - 20) + b'": 1}',
    "many fields": lambda: b"{" + b'"a":1,' * (LARGE_BYTES // 6 - 10) + b'"posts": []}',
    "an item of lists": lambda: b'{"posts": [[' + b"[]," * (LARGE_BYTES // 3 - 10) + b"[]]]}",
}


@pytest.fixture
def _usual_objects() -> Iterator[None]:
    """Collect no garbage among the objects of all tests, which the API does not have."""
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_usual_objects")
@pytest.mark.parametrize("name", FLOODS)
async def test_a_hostile_body_keeps_the_event_loop_no_longer_than_another(name: str) -> None:
    raw = bytearray(FLOODS[name]())
    assert len(raw) <= LARGE_BYTES
    for work in (partial(_read_rows, csv_rows), partial(_read_rows, line_rows), _split):
        longest_s = await work(raw)
        # Twice, if it was long, because the machine may be busy.
        assert longest_s < MOST_S / 2 or min(longest_s, await work(raw)) < MOST_S, work


async def _read_rows(read: Callable[[bytearray], Iterator[Row]], raw: bytearray) -> float:
    """Read the rows of a body; return the seconds of the longest work between two pauses."""
    rows, turn = read(raw), Stopwatch()
    with suppress(InvalidRequest):
        for _ in islice(rows, MOST_ROWS):
            await turn.pause()
    await turn.pause()
    return turn.longest_s


async def _split(raw: bytearray) -> float:
    """Take a body apart; return the seconds of the longest work between two pauses."""
    turn = Stopwatch()
    with suppress(InvalidRequest):
        await split_body(raw, "posts", MOST_ROWS, turn)
    await turn.pause()
    return turn.longest_s


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("07/12/2026", "“07/12/2026”, in which day and month cannot be told apart"),
        ("31.12.2026 09:00", "“31.12.2026 09:00”, which looks like a date with the year at its end"),
        ("46393", "“46393”, which looks like Excel's serial number of a date"),
        ("46393,375", "“46393,375”, which looks like Excel's serial number of a date"),
        ("soon " * 40, f"“{'soon ' * 15}soon…”"),
        ("2020-01-01T09:00", "5 minutes in the past: “2020-01-01T09:00”"),
    ],
)
async def test_equal_errors_of_a_column_are_one_with_the_text_of_the_cell(
    stranger: Client, cell: str, words: str
) -> None:
    def body(wrong: int) -> str:
        rows = [f'{number},text,twitter:tw_456,"{cell if number < wrong else ""}"' for number in range(1_000)]
        return "\n".join(["externalId,content,platforms,scheduledFor", *rows])

    headers = {"Content-Type": "text/csv"}

    async def send(wrong: int, **query: str) -> httpx.Response:
        key = {"Idempotency-Key": new_id("key")}
        return await stranger.post("/v1/imports", content=body(wrong).encode(), headers=headers | key, params=query)

    answer = await send(1_000)
    (error,) = answer.json()["errors"]
    assert answer.status_code == 400
    assert words in error["error"]
    assert "(column scheduledFor: all 1,000 rows, first 2, 3, 4)" in error["error"]
    assert (error["row"], error["rows"], error["count"]) == (2, list(range(2, 12)), 1_000)
    (error,) = (await send(11)).json()["errors"]
    assert "(column scheduledFor: 11 rows, first 2, 3, 4)" in error["error"]
    # As many as can be listed are listed one by one.
    few = (await send(10)).json()["errors"]
    assert [(error["row"], words in error["error"]) for error in few] == [(row, True) for row in range(2, 12)]
    skipped = (await send(3, onError="skip", dryRun="true")).json()
    assert all(words in result["errors"][0]["error"] for result in skipped["results"][:3])


@pytest.mark.parametrize(
    ("column", "cell"),
    [
        ("isDraft", "perhaps"),
        ("platforms", "twitter"),
        ("mediaItems", "https://example.com/unknown"),
        ("facebookSettings", "{wrong"),
        ("publishWithin", "1.200"),
        ("timezone", "Berlin"),
        ("after", "bf-001 P400D"),
        ("publishNow", "true"),
    ],
)
async def test_an_error_of_a_row_has_the_text_of_its_cell(stranger: Client, column: str, cell: str) -> None:
    body = f"externalId\tcontent\t{column}\n1\ttext\t{cell}\n"
    headers = {"Idempotency-Key": new_id("key"), "Content-Type": "text/csv"}
    answer = await stranger.post("/v1/imports", content=body.encode(), headers=headers)
    errors = [error for error in answer.json()["errors"] if str(error["param"]).startswith(f"rows.2.{column}")]
    assert errors
    assert cell.removeprefix("bf-001 ") in errors[0]["error"]


@pytest.mark.parametrize(
    "text",
    [
        "sep=;\r\nexternalId;content\r\n1;text\r\n",
        "ExternalId;CONTENT\n1;text\n",
        "externalId;content;;\n1;text;;\n",
        "externalId;content\n1;text;;;\n",
        "externalId;content;;\n1;text\n",
    ],
)
def test_tables_as_spreadsheet_programs_write_them_are_read(text: str) -> None:
    ((_, body),) = from_csv(text)
    assert body == {"externalId": "1", "content": "text"}


def test_old_line_ends_are_explained() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        list(csv_rows(bytearray(b"externalId,content\r1,text\r")))
    assert "a line ends with a carriage return alone" in refusal.value.first.error
