"""ARCHITECTURE.md and the other documents name files and functions that exist."""

import pkgutil
import re
from functools import cache
from pathlib import Path

from tests.docs.test_documents import DOCUMENTS

ROOT = Path(__file__).parents[2]
ARCHITECTURE = (ROOT / "ARCHITECTURE.md").read_text()
WALK = ARCHITECTURE.split("## One `publishNow`, function by function")[1].split("\n## ")[0]
FUNCTIONS = re.findall(r"`([\w/]+)\.py:([\w.]+)`", WALK)
FOLDERS = "|".join(sorted(module.parent.name for module in ROOT.glob("*/__init__.py")))
FILE = re.compile(rf"`((?:{FOLDERS})/[\w/]+\.(?:py|sql|html))[`:]")
# A file named without its folder, or with the end of it, as on a page about one folder.
SHORT = re.compile(r"`((?:[a-z_]\w*/)*\w+\.(?:py|sql|html))`")
# With two dots: `media.write` is a permission, and `target.late` a line of the log.
PLACE = re.compile(rf"`((?:{FOLDERS})(?:\.\w+){{2,}})`")


def test_the_walk_has_every_step() -> None:
    steps = re.findall(r"^(\d+)\. ", WALK, re.MULTILINE)
    assert [int(step) for step in steps] == list(range(1, 15))
    assert len(FUNCTIONS) >= 20


def test_every_function_of_the_walk_exists() -> None:
    for module, name in FUNCTIONS:
        assert pkgutil.resolve_name(f"{module.replace('/', '.')}:{name}")


def test_a_database_function_of_the_walk_exists() -> None:
    named = re.findall(r"`(\w+_v\d+)`", WALK)
    assert len(named) >= 4
    assert [name for name in named if not (ROOT / f"store/functions/{name}.sql").exists()] == []


def test_a_file_that_a_document_names_exists() -> None:
    for document in DOCUMENTS:
        text = document.read_text()
        assert [file for file in FILE.findall(text) if not (ROOT / file).exists()] == [], document
        assert [short for short in set(SHORT.findall(text)) if not _is_end_of_a_file(short)] == [], document
        assert [place for place in PLACE.findall(text) if not _resolves(place)] == [], document


@cache
def _is_end_of_a_file(short: str) -> bool:
    return any(f"/{file}".endswith(f"/{short}") for file in _named_files())


@cache
def _named_files() -> set[str]:
    """Return the files that a document may name, of the project alone."""
    folders = [folder for folder in ROOT.iterdir() if folder.is_dir() and not folder.name.startswith(".")]
    files = [file for folder in folders for file in folder.rglob("*")] + list(ROOT.iterdir())
    return {str(file.relative_to(ROOT)) for file in files if file.suffix in {".py", ".sql", ".html"}}


def _resolves(place: str) -> bool:
    try:
        return bool(pkgutil.resolve_name(place))
    except (ImportError, AttributeError):
        return False
