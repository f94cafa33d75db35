"""Migrations after the first lock no table for long, and the last release survives them; bad ones are refused."""

from pathlib import Path

import pytest

from store.schema.revisions import revisions
from tests.databases import new_database
from tests.store.migration_rules import Uses, broken_rules, problems
from tests.store.versions import statement, versions_folder, write_migration

USES = Uses({"posts": ["id", "content"], "zone_checks": ["id"]}, ["create_post_v1"], ["0001"])
SINCE = 'UNUSED_SINCE = "0001"'
BAD = {
    "ALTER TABLE posts ADD COLUMN note text NOT NULL": "note is NOT NULL without a default",
    "ALTER TABLE posts ADD note text, ADD COLUMN other int NOT NULL": "other is NOT NULL without a default",
    "ALTER TABLE posts ADD COLUMN note uuid DEFAULT gen_random_uuid()": "default of the column note is no constant",
    "ALTER TABLE posts ALTER COLUMN version TYPE bigint": "changes a column's type",
    "ALTER TABLE posts ALTER version SET DATA TYPE bigint": "changes a column's type",
    "ALTER TABLE posts ALTER COLUMN content SET NOT NULL": "reads the whole table",
    "ALTER TABLE posts RENAME COLUMN content TO body": "renames",
    "ALTER TABLE late_posts RENAME TO belated": "renames",
    "CREATE INDEX posts_note ON posts (content)": "without CONCURRENTLY",
    "CREATE UNIQUE INDEX posts_note ON posts (content)": "without CONCURRENTLY",
    "ALTER TABLE posts ADD CONSTRAINT short CHECK (length(content) < 9)": "NOT VALID",
    "ALTER TABLE posts ADD FOREIGN KEY (id) REFERENCES posts (id)": "NOT VALID",
    "ALTER TABLE posts ADD CONSTRAINT one UNIQUE (content)": "USING INDEX",
    "ALTER TABLE posts DROP COLUMN external_id CASCADE": "only a contract drops: DROP COLUMN external_id",
    "DROP TABLE late_posts": "only a contract drops: DROP TABLE late_posts",
    "DROP FUNCTION take_key_v1": "only a contract drops: DROP FUNCTION take_key_v1",
    "LOCK TABLE posts": "locks the table",
    "TRUNCATE zone_checks": "locks the table",
    "UPDATE posts SET content = content": "rows are changed by a backfill",
    "CREATE OR REPLACE FUNCTION keep_post_tags() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'": "replaced",
}
GOOD = [
    "ALTER TABLE posts ADD COLUMN note text, ADD COLUMN other int NOT NULL DEFAULT 0",
    "ALTER TABLE posts ADD COLUMN notes jsonb NOT NULL DEFAULT '{}'::jsonb",
    "ALTER TABLE posts ADD COLUMN noted_at timestamptz NOT NULL DEFAULT now()",
    "ALTER TABLE posts ADD CONSTRAINT short CHECK (length(content) < 9) NOT VALID",
    "CREATE FUNCTION twice_v1(number int) RETURNS int LANGUAGE sql AS 'SELECT 2 * number'",
]


@pytest.fixture
async def url(postgres_url: str) -> str:
    return await new_database(postgres_url)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return versions_folder(tmp_path)


def rules_broken_by(folder: Path, change: str, *constants: str, kind: str = "expand") -> list[str]:
    """Return the rules that a migration of one statement breaks."""
    write_migration(folder, statement(change), *constants, kind=kind)
    return list(problems(revisions(folder)[-1], [change], USES))


@pytest.mark.parametrize(("change", "problem"), BAD.items())
def test_a_bad_migration_is_refused(folder: Path, change: str, problem: str) -> None:
    (broken,) = rules_broken_by(folder, change)
    assert problem in broken


async def test_migrations_are_checked_as_a_database_executes_them(url: str, folder: Path) -> None:
    for change in GOOD:
        write_migration(folder, statement(change))
    bad = write_migration(folder, statement("DROP TABLE late_posts"))
    assert await broken_rules(url, folder, USES) == [f"{bad}: only a contract drops: DROP TABLE late_posts"]


async def test_a_new_table_may_have_indexes_and_constraints(url: str, folder: Path) -> None:
    added = [
        "CREATE TABLE notes (id int NOT NULL)",
        "CREATE INDEX notes_id ON notes (id)",
        "ALTER TABLE notes ADD UNIQUE (id)",
    ]
    write_migration(folder, "; ".join(map(statement, added)))
    assert await broken_rules(url, folder, USES) == []


async def test_an_index_and_a_backfill_are_accepted(url: str, folder: Path) -> None:
    index = 'online.create_index(op.get_bind(), "posts_note", "posts (content)")'
    write_migration(folder, index, "IN_TRANSACTION = False")
    some = "UPDATE posts SET note = '' WHERE id IN (SELECT id FROM posts WHERE note IS NULL LIMIT :batch)"
    write_migration(folder, statement("ALTER TABLE posts ADD COLUMN note text"))
    write_migration(folder, f'online.run_in_batches(op.get_bind(), "{some}")', kind="backfill")
    assert await broken_rules(url, folder, USES) == []


def test_a_backfill_without_a_limit_is_refused(folder: Path) -> None:
    (broken,) = rules_broken_by(folder, "UPDATE posts SET content = content", kind="backfill")
    assert "without a LIMIT" in broken


@pytest.mark.parametrize(
    ("change", "problem"),
    {
        "DROP TABLE zone_checks": "the last release uses what it removes: zone_checks",
        "ALTER TABLE posts DROP COLUMN content CASCADE": "the last release uses what it removes: posts.content",
        "DROP FUNCTION create_post_v1 CASCADE": "the last release uses what it removes: create_post_v1",
        "DROP TABLE late_posts": None,
        "ALTER TABLE posts DROP COLUMN external_id CASCADE": None,
    }.items(),
)
def test_a_contract_drops_only_what_the_last_release_does_not_use(
    folder: Path, change: str, problem: str | None
) -> None:
    assert rules_broken_by(folder, change, SINCE, kind="contract") == ([problem] if problem else [])


async def test_a_contract_waits_for_the_release_that_does_not_use_it(url: str, folder: Path) -> None:
    added = write_migration(folder, statement("ALTER TABLE posts ADD COLUMN note text"))
    write_migration(folder, statement("DROP TABLE late_posts"), f'UNUSED_SINCE = "{added}"', kind="contract")
    (broken,) = await broken_rules(url, folder, USES)
    assert f"{added} is newer than it" in broken


@pytest.mark.parametrize(
    ("constants", "kind", "problem"),
    [
        ([], None, "declares no KIND"),
        ([], "rename", "declares no KIND"),
        ([], "contract", "declares UNUSED_SINCE"),
        ([SINCE], "expand", "declares UNUSED_SINCE"),
    ],
)
def test_a_migration_that_declares_too_little_is_refused(
    folder: Path, constants: list[str], kind: str | None, problem: str
) -> None:
    write_migration(folder, "pass", *constants, kind=kind)
    with pytest.raises(ValueError, match=problem):
        revisions(folder)
