"""Only the store queries the database: a developer who changes a table would miss a query elsewhere."""

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.sources import syntax_nodes

ROOT = Path(__file__).parents[2]
PACKAGES = sorted(
    path.parent.name for path in ROOT.glob("*/__init__.py") if path.parent.name not in {"store", "tests", "benchmarks"}
)
# A type and an address are no queries.
ALLOWED = {"AsyncSession", "make_url"}
ASKING = {"execute", "get", "scalar", "scalars", "stream", "stream_scalars"}


def queries(source: str) -> Iterator[str]:
    """Yield a module's imports for building queries, and its calls that send them."""
    for node in syntax_nodes(source):
        match node:
            case ast.ImportFrom(module=str(module), names=names) if module.partition(".")[0] == "sqlalchemy":
                if module != "sqlalchemy.exc":
                    yield from (f"{module}.{name.name}" for name in names if name.name not in ALLOWED)
            case ast.Import(names=names):
                yield from (name.name for name in names if name.name.partition(".")[0] == "sqlalchemy")
            case ast.Call(func=ast.Attribute(value=ast.Name(id="session"), attr=attr)) if attr in ASKING:
                yield f"session.{attr}"
            case ast.Call(func=ast.Attribute(attr="row" | "rows" as attr), args=[ast.Constant() | ast.JoinedStr(), *_]):
                yield f"Database.{attr}"


def test_a_query_is_found() -> None:
    source = "from sqlalchemy import select\nasync def f(session):\n    await session.scalar(select(1))\n"
    assert list(queries(source)) == ["sqlalchemy.select", "session.scalar"]


def test_queries_are_in_store_only() -> None:
    files = [file for package in PACKAGES for file in (ROOT / package).rglob("*.py")]
    # Bluesky calls a login a session.
    files = [file for file in files if file.parent.parts[-2:] != ("platforms", "bluesky")]
    queries_by_file = {(str(file.relative_to(ROOT)), query) for file in files for query in queries(file.read_text())}
    assert queries_by_file == set()
