"""Folders of migrations for tests: the first migration of the product, and further ones that a test writes."""

import shutil
from pathlib import Path

from store.schema.revisions import MIGRATIONS

_MODULE = '''
"""A migration of a test."""

from alembic import op

from store.schema import online

revision = "{name}"
down_revision = "{previous}"
{constants}


def upgrade() -> None:
    """Apply the change."""
    {change}
'''


def versions_folder(folder: Path) -> Path:
    """Make a folder with the product's own migrations."""
    path = folder / "versions"
    shutil.copytree(MIGRATIONS / "versions", path, ignore=shutil.ignore_patterns("__pycache__"))
    return path


def write_migration(folder: Path, change: str, *constants: str, kind: str | None = "expand") -> str:
    """Add a migration after the last one, and return its name. `change` is a statement of Python."""
    last = max(path.name[:4] for path in folder.glob("*.py"))
    name = f"{int(last) + 1:04}"
    lines = [*([f'KIND = "{kind}"'] if kind else []), *constants]
    text = _MODULE.format(name=name, previous=last, constants="\n".join(lines), change=change)
    (folder / f"{name}_test.py").write_text(text.lstrip())
    return name


def statement(sql: str) -> str:
    """Return the statement of Python that runs a statement of SQL."""
    return f"op.execute({sql!r})"
