"""Posts to real servers by the whole product, while requests and responses are lost on the way.

Nothing is published twice, nothing is lost, and no post that can be read back stays unconfirmed.
"""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from domain.post import PostStatus
from platforms.mastodon.platform import Mastodon
from runtime import worker
from runtime.parts import open_parts
from store.accounts.connected import save_account
from store.models import Account, Post
from store.secrets.vault import Vault
from tests.platforms.bluesky import pds
from tests.platforms.lossy import Lossy, losing
from tests.platforms.mastodon import snac
from tests.platforms.mastodon.test_snac import TEXTS
from tests.platforms.rig import Rig, Sandbox
from tests.running import running_stack
from tests.stack import Stack, plain_credentials
from tests.temporal import temporal_server

BELIEVED_AFTER = timedelta(seconds=3)
SETTLED_WITHIN_S = 120.0
"""A send whose request was lost takes several attempts to confirm, each later than the one before."""

pytestmark = [pytest.mark.timeout(300), pytest.mark.thorough]


@asynccontextmanager
async def working(postgres_url: str, proxy: Lossy) -> AsyncIterator[Stack]:
    """Run a separate stack, whose worker may call the proxy."""
    async with temporal_server() as environment, running_stack(postgres_url, environment) as stack:
        settings = stack.settings.model_copy(update={"private_account_hosts": [urlsplit(proxy.url).netloc]})
        async with (
            open_parts(settings, stack.worker_database) as parts,
            worker.running_workers(stack.client, parts),
        ):
            yield stack


async def connect(stack: Stack, rig: Rig, **named: str) -> Account:
    """Save an account of a real server, which is reached at another address."""
    async with stack.database.transaction() as session:
        return await save_account(
            session,
            Vault(stack.settings.encryption_keys),
            workspace_id=stack.workspace_id,
            account_id=rig.platform.account_id(rig.account.user_id),
            platform=rig.platform.name,
            user_id=rig.account.user_id,
            username=rig.account.username,
            premium=False,
            credentials=plain_credentials(rig.stored) | named,
        )


async def publish_all(stack: Stack, account: Account, contents: Sequence[tuple[str, dict[str, Any]]]) -> list[Post]:
    """Publish many posts at the same time; return them once they are settled."""
    posts = [await stack.save(text, [account], **more) for text, more in contents]
    await asyncio.gather(*(stack.start(post) for post in posts))
    return list(await asyncio.gather(*(stack.settled(post.id, timeout=SETTLED_WITHIN_S) for post in posts)))


def assert_published(posts: Sequence[Post], texts: dict[str, str]) -> None:
    """Check that every post is published as a separate post: `texts` are by the ids that the server gave."""
    assert {post.status for post in posts} == {PostStatus.PUBLISHED}
    expected = {post.targets[0].platform_post_id: post.content for post in posts}
    assert len(expected) == len(posts)
    assert {name: (text or "").strip() for name, text in expected.items()} == {
        name: text.strip() for name, text in texts.items()
    }


@pytest.mark.skipif(snac.PROGRAM is None, reason="snac is not installed: Debian package snac2")
async def test_snac_gets_every_post_once(postgres_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Mastodon, "read_lag", BELIEVED_AFTER)
    async with AsyncExitStack() as up:
        server = await up.enter_async_context(snac.running_snac())
        proxy = await up.enter_async_context(losing(server.url, "POST", "/api/v1/statuses"))
        stack = await up.enter_async_context(working(postgres_url, proxy))
        rig = await server.open_account(Sandbox(stack.sandbox_url, stack.http, stack.controls))
        account = await connect(stack, rig, instance=proxy.url)
        first = await server.ask(rig, "POST", "/api/v1/statuses", json={"status": "Before all"})
        picture = [f"{stack.sandbox_url}/_/media/real.jpg"]
        contents: list[tuple[str, dict[str, Any]]] = [(text, {}) for text in TEXTS[1::2]]
        contents += [("A reply & more", {"settings": {"inReplyToId": first["id"]}})]
        contents += [("For friends & <b>family</b>", {"settings": {"visibility": "private"}})]
        contents += [("A picture & words", {"media": picture})]
        posts = await publish_all(stack, account, contents)
        texts = {status["id"]: status["text"] for status in await server.own(rig) if status["id"] != first["id"]}
        assert_published(posts, texts)
        assert min(proxy.lost_requests, proxy.lost_answers) >= len(contents) // 3


@pytest.mark.skipif(pds.reason_to_skip() is not None, reason=str(pds.reason_to_skip()))
async def test_bluesky_gets_every_post_once(postgres_url: str) -> None:
    async with AsyncExitStack() as up:
        server = await up.enter_async_context(pds.running_pds())
        proxy = await up.enter_async_context(losing(server.url, "POST", "com.atproto.repo.putRecord"))
        stack = await up.enter_async_context(working(postgres_url, proxy))
        rig = await server.open_account(Sandbox(stack.sandbox_url, stack.http, stack.controls))
        account = await connect(stack, rig, service=proxy.url)
        picture = [f"{stack.sandbox_url}/_/media/real.jpg"]
        posts = await publish_all(
            stack, account, [(f"{text} {len(text)}", {"media": picture[: len(text) % 2]}) for text in TEXTS[::3]]
        )
        records = await server.posts(rig)
        assert_published(posts, {record["uri"]: record["value"]["text"] for record in records})
        assert min(proxy.lost_requests, proxy.lost_answers) >= len(posts) // 3
