"""The statements of docs/platform-access.md and docs/evidence.md about every platform are complete and true."""

import re
from pathlib import Path

import pytest

from platforms.live import load_live_check
from platforms.registry import platforms

ROOT = Path(__file__).parents[2]
REAL_SERVERS = {"bluesky": "bluesky/test_pds.py", "mastodon": "mastodon/test_snac.py"}


def rows(page: str, heading: str) -> dict[str, dict[str, str]]:
    """Return the table of a page's section: its cells by column, by the platform's name in the first column."""
    section = (ROOT / f"docs/{page}.md").read_text().split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in section.splitlines() if line[:1] == "|"]
    names, _, *cells = lines
    return {row[0].removesuffix(" and its kin"): dict(zip(names, row, strict=True)) for row in cells}


APPLY, PROVEN = rows("platform-access", "What to apply for"), rows("evidence", "What is proven by what")


@pytest.mark.parametrize("table", [APPLY, PROVEN])
def test_every_platform_has_one_row_in_the_usual_order(table: dict[str, dict[str, str]]) -> None:
    assert list(table) == sorted((platform.label for platform in platforms().values()), key=str.lower)


@pytest.mark.parametrize("platform", sorted(platforms()))
def test_every_cell_says_something_true(platform: str) -> None:
    label = platforms()[platform].label
    apply, proven = APPLY[label], PROVEN[label]
    assert apply["what it takes"]
    assert apply["how long"], "a lead time, or at once"
    assert bool(proven["spec"]) is (ROOT / f"tests/platforms/{platform}/test_contract.py").is_file()
    assert bool(proven["server"]) is (platform in REAL_SERVERS)
    assert proven["seen"]
    assert proven["unverified"], "nothing is proven of a platform that was never asked"
    assert load_live_check(platforms()[platform]).samples


@pytest.mark.parametrize(("platform", "file"), REAL_SERVERS.items())
def test_a_real_server_is_in_the_tests(platform: str, file: str) -> None:
    assert platform in platforms()
    assert (ROOT / "tests" / "platforms" / file).is_file()


def test_threads_are_named_so_that_they_can_be_found() -> None:
    sources = " ".join(row["seen"] for row in PROVEN.values())
    named = re.findall(r"(\S*)#\d+", sources)
    assert len(named) > 30
    for name in named:
        assert re.fullmatch(r"\(?([\w.-]+/[\w.-]+)?", name), name
