"""Upgrades from each release: its schema, posts, keys and accounts continue on the present code."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from store import migrate
from store.migrate import upgrade
from store.models import Account
from store.schema.revisions import Revision, read_shape
from tests.databases import ROLES, empty_database
from tests.releases.filling import KeptPost
from tests.releases.folders import Release, releases
from tests.releases.loading import load
from tests.releases.product import Product, running_product, until
from tests.releases.record import uses as present_uses
from tests.releases.role_statements import refused_statements, role_statements
from tests.running import stack_on
from tests.store.migration_rules import Uses, broken_rules
from tests.store.versions import versions_folder
from tests.temporal import temporal_server

RELEASES = releases()
_RIGHTS = text(
    "SELECT grantee, table_name, column_name, privilege_type FROM information_schema.column_privileges"
    " WHERE grantee LIKE 'socialsyncer%' UNION ALL"
    " SELECT grantee, table_name, '*', privilege_type FROM information_schema.table_privileges"
    " WHERE grantee LIKE 'socialsyncer%'"
)
ENDS_WITHIN_S = 100


async def shape(url: str) -> dict[str, str]:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        present = await connection.run_sync(read_shape)
    await engine.dispose()
    return present


async def rights(url: str) -> set[tuple[Any, ...]]:
    engine = create_async_engine(url)
    async with engine.connect() as connection:
        present = {tuple(row) for row in await connection.execute(_RIGHTS)}
    await engine.dispose()
    return present


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.version)
async def test_an_upgraded_schema_is_that_of_a_new_database(
    postgres_url: str, tmp_path: Path, release: Release
) -> None:
    upgraded, new = await load(release, postgres_url, tmp_path / "sandbox"), await empty_database(postgres_url)
    before = await rights(upgraded)
    await upgrade(upgraded, ROLES)
    # Processes of the release need what it has granted them, until a contract.
    assert before <= await rights(upgraded)
    await upgrade(upgraded, ROLES, contract=True)
    await upgrade(new, ROLES)
    assert await shape(upgraded) == await shape(new)


@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.version)
async def test_after_every_migration_the_roles_of_the_release_may_do_what_they_did(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, release: Release
) -> None:
    url = await load(release, postgres_url, tmp_path / "sandbox")
    statements = await role_statements(url)
    assert all(len(of_role) > 100 for of_role in statements.values())
    apply, refused = migrate._apply, {}

    async def apply_and_try(engine: AsyncEngine, revision: Revision, *rest: Any) -> None:
        await apply(engine, revision, *rest)
        refused[revision.name] = await refused_statements(url, statements)

    monkeypatch.setattr(migrate, "_apply", apply_and_try)
    await upgrade(url, ROLES)
    assert {name: by_role for name, by_role in refused.items() if any(by_role.values())} == {}


async def test_unreleased_migrations_keep_the_rules(postgres_url: str, tmp_path: Path) -> None:
    uses = Uses(**(RELEASES[-1].read("uses.json") if RELEASES else present_uses()))
    assert await broken_rules(await empty_database(postgres_url), versions_folder(tmp_path), uses) == []


@pytest.mark.thorough
@pytest.mark.timeout(400)
@pytest.mark.parametrize("release", RELEASES, ids=lambda release: release.version)
async def test_every_stored_post_ends_as_it_must(postgres_url: str, tmp_path: Path, release: Release) -> None:
    stored = release.read("stored.json")
    url = await load(release, postgres_url, tmp_path / "sandbox")
    await upgrade(url, ROLES)
    on = {"encryption_key": stored["encryptionKey"], "sandbox_folder": tmp_path / "sandbox"}
    # A server of its own: in this process, a worker of other tests may serve the same queues of theirs.
    async with temporal_server() as temporal, stack_on(url, temporal, **on) as stack:
        stack.workspace_id, stack.api_key = stored["workspaceId"], stored["apiKey"]
        async with stack.database.reading() as session:
            for name, account_id in stored["accounts"].items():
                account = await session.get(Account, (stack.workspace_id, account_id))
                assert account is not None
                stack.accounts[name] = account
        async with running_product(stack) as product:
            posts = [KeptPost(**post) for post in stored["posts"]]
            shown = {post.id: await product.read(post.id) for post in posts}
            assert {post.text: shown[post.id]["content"] for post in posts if post.text != "before its edit"} == {
                post.text: post.text for post in posts if post.text != "before its edit"
            }
            await product.recover()
            await act_as_people(product, posts)
            await asyncio.gather(*(ends(product, post) for post in posts))
            await nothing_is_lost_or_doubled(product, posts)
            await keys_and_accounts_work(product, posts)


async def act_as_people(product: Product, posts: list[KeptPost]) -> None:
    """Reconnect the account, and retry the posts, that wait for a person."""
    await product.stack.reconnect(product.stack.accounts["refused"])
    for post in posts:
        if post.after == "retry":
            response = await product.api.post(f"/v1/posts/{post.id}/retry", headers={"Prefer": "wait=0"})
            assert response.is_success, response.text


async def ends(product: Product, post: KeptPost) -> None:
    shown: dict[str, Any] = {}

    async def has_ended() -> bool:
        nonlocal shown
        shown = await product.read(post.id)
        return bool(shown["status"] == post.ends)

    assert await until(has_ended, ENDS_WITHIN_S), f"{post.text} ended otherwise: {shown}"


async def nothing_is_lost_or_doubled(product: Product, posts: list[KeptPost]) -> None:
    public = (await product.stack.control("GET", "posts"))["posts"]
    texts = [shown["text"] for shown in public if not shown["deleted"] and not shown["supersededBy"]]
    counts = {
        post.text: texts.count("after its edit" if post.text == "before its edit" else post.text) for post in posts
    }
    assert counts == {post.text: post.public for post in posts}


async def keys_and_accounts_work(product: Product, posts: list[KeptPost]) -> None:
    """A repeated request gets the stored post, and new posts go to the accounts of the release."""
    scheduled = next(post for post in posts if post.text == "a draft")
    repeated = await product.create("a draft", *scheduled.accounts)
    assert repeated["id"] == scheduled.id
    health = {
        account["accountId"]: account["health"]
        for account in (await product.api.get("/v1/accounts")).json()["accounts"]
    }
    assert "needs_reconnect" not in health.values()
    new = await product.create("after the upgrade", "plain", publishNow=True)
    await product.reaches(new["id"], "published")
