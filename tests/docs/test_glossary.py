"""The glossary matches the names in the code."""

import pkgutil
import re
from pathlib import Path

GLOSSARY = (Path(__file__).parents[2] / "docs/glossary.md").read_text()
ROWS = re.findall(r"^\| ([^|]+) \| [^|]+ \| `([\w.]+)` \|$", GLOSSARY, re.MULTILINE)


def test_every_row_names_its_place_and_terms_are_unique() -> None:
    rows = [line for line in GLOSSARY.splitlines() if line.startswith("| ") and not line.startswith(("| term", "|---"))]
    assert len(ROWS) == len(rows) >= 40
    assert len({term for term, _ in ROWS}) == len(ROWS)


def test_terms_are_sorted() -> None:
    for section in GLOSSARY.split("## ")[1:]:
        terms = [
            term.lower() for term, _ in re.findall(r"^\| ([^|]+) \| [^|]+ \| `([\w.]+)` \|$", section, re.MULTILINE)
        ]
        assert terms == sorted(terms)


def test_every_place_exists() -> None:
    for _, place in ROWS:
        assert pkgutil.resolve_name(place)
