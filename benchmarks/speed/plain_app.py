"""A plain app: the same job, written by hand on the same libraries, without this project's guarantees.

Its API saves rows and starts a workflow. The workflow runs an activity for each account, which reads the rows, sends
the post and writes the outcome. Nothing is confirmed, limited, renewed, checked or sent at most once. `python -m
benchmarks.speed.plain_app api|worker DATABASE TEMPORAL SANDBOX PORT` prints `ready` and runs until its input ends.
"""

import asyncio
import secrets
import socket
import sys
import time
import uuid
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.client import Client, WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.contrib.pydantic import pydantic_data_converter
from temporalio.worker import Worker

with workflow.unsafe.imports_passed_through():
    import httpx
    import uvicorn
    from litestar import Litestar, get, post
    from pydantic import BaseModel
    from sqlalchemy import ForeignKey, select, update
    from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
    from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, selectinload

    from benchmarks.processes import input_end

QUEUE = "plain"
_TIMEOUT = timedelta(seconds=30)
_SORTABLE = "234567abcdefghijklmnopqrstuvwxyz"
_PICTURE = "https://example.com/photo.jpg"


class Base(DeclarativeBase):
    """The tables of the app."""


class Account(Base):
    """An account of a platform, and its token."""

    __tablename__ = "plain_accounts"
    id: Mapped[str] = mapped_column(primary_key=True)
    platform: Mapped[str]
    user_id: Mapped[str]
    token: Mapped[str]


class Target(Base):
    """A post's copy on one account."""

    __tablename__ = "plain_targets"
    post_id: Mapped[str] = mapped_column(ForeignKey("plain_posts.id"), primary_key=True)
    account_id: Mapped[str] = mapped_column(ForeignKey("plain_accounts.id"), primary_key=True)
    status: Mapped[str] = mapped_column(default="pending")
    platform_post_id: Mapped[str | None]


class Post(Base):
    """A post."""

    __tablename__ = "plain_posts"
    id: Mapped[str] = mapped_column(primary_key=True)
    content: Mapped[str]
    picture: Mapped[bool]
    targets: Mapped[list[Target]] = relationship()


class NewPost(BaseModel):
    """The body of a create."""

    content: str
    accounts: list[str]
    picture: bool = False
    scheduled_for: datetime | None = None


@workflow.defn
class PlainPost:
    """A workflow that sleeps until a post is due and publishes it to all accounts concurrently."""

    def __init__(self) -> None:
        self._is_done = False

    @workflow.run
    async def run(self, post_id: str, accounts: list[str], due: datetime | None) -> None:
        """Sleep, then publish."""
        if due is not None:
            await workflow.sleep(max(due - workflow.now(), timedelta(0)))
        await asyncio.gather(
            *(
                workflow.execute_activity("publish", args=[post_id, account], start_to_close_timeout=_TIMEOUT)
                for account in accounts
            )
        )
        self._is_done = True

    @workflow.update
    async def outcome(self) -> None:
        """Wait until the post is published."""
        await workflow.wait_condition(lambda: self._is_done)


class Publishing:
    """The activity."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], sandbox: str) -> None:
        self._sessions = sessions
        self._http = httpx.AsyncClient(base_url=sandbox, timeout=30, trust_env=False)

    @activity.defn
    async def publish(self, post_id: str, account_id: str) -> None:
        """Read the post, send it, and write its id."""
        async with self._sessions() as session:
            query = (
                select(Post.content, Post.picture, Account)
                .join(Target, Target.post_id == Post.id)
                .join(Account, Target.account_id == Account.id)
                .where(Post.id == post_id, Account.id == account_id)
            )
            content, picture, account = (await session.execute(query)).one()
        send = {"twitter": self._to_x, "bluesky": self._to_bluesky, "instagram": self._to_instagram}[account.platform]
        platform_post_id = await send(content, account, picture=picture)
        async with self._sessions.begin() as session:
            await session.execute(
                update(Target)
                .where(Target.post_id == post_id, Target.account_id == account_id)
                .values(status="published", platform_post_id=platform_post_id)
            )

    async def _to_x(self, content: str, account: Account, *, picture: bool) -> str:
        body: dict[str, Any] = {"text": content}
        if picture:
            file = (await self._http.get("/_/media/photo.jpg")).raise_for_status().content
            form = {"files": {"media": file}, "data": {"media_category": "tweet_image"}}
            upload = await self._send("/twitter/2/media/upload", account.token, **form)
            body["media"] = {"media_ids": [upload["data"]["id"]]}
        return str((await self._send("/twitter/2/tweets", account.token, json=body))["data"]["id"])

    async def _to_bluesky(self, content: str, account: Account, *, picture: bool) -> str:
        assert not picture
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        record = {"$type": "app.bsky.feed.post", "text": content, "createdAt": now}
        body = {"repo": account.user_id, "collection": "app.bsky.feed.post", "rkey": _new_key(), "record": record}
        path = "/bluesky/xrpc/com.atproto.repo.createRecord"
        return str((await self._send(path, account.token, json=body))["uri"])

    async def _to_instagram(self, content: str, account: Account, *, picture: bool) -> str:
        assert picture
        edge = f"/instagram/v25.0/{account.user_id}"
        container = await self._send(f"{edge}/media", account.token, data={"image_url": _PICTURE, "caption": content})
        return str(
            (await self._send(f"{edge}/media_publish", account.token, data={"creation_id": container["id"]}))["id"]
        )

    async def _send(self, path: str, token: str, **body: Any) -> dict[str, Any]:
        response = await self._http.post(path, headers={"Authorization": f"Bearer {token}"}, **body)
        result: dict[str, Any] = response.raise_for_status().json()
        return result


def _new_key() -> str:
    """Return a key for a record: the time in microseconds and ten bits by chance, as 13 sortable characters."""
    number = time.time_ns() // 1000 << 10 | secrets.randbits(10)
    return "".join(_SORTABLE[number >> shift & 31] for shift in range(60, -1, -5))


class Endpoints:
    """The API."""

    def __init__(self, sessions: async_sessionmaker[AsyncSession], client: Client) -> None:
        self._sessions, self._client = sessions, client

    def app(self) -> Litestar:
        """Return the app."""
        routes = [post("/posts")(self.create), get("/posts/{post_id:str}")(self.read), get("/posts")(self.list)]
        return Litestar(routes, openapi_config=None, logging_config=None)

    async def create(self, data: NewPost) -> dict[str, Any]:
        """Save a post and start its workflow; wait for the outcome unless it is scheduled."""
        row = Post(id=uuid.uuid4().hex, content=data.content, picture=data.picture)
        row.targets = [Target(account_id=account) for account in data.accounts]
        async with self._sessions.begin() as session:
            session.add(row)
        arguments, key = [row.id, data.accounts, data.scheduled_for], f"plain-{row.id}"
        if data.scheduled_for is not None:
            await self._client.start_workflow("PlainPost", args=arguments, id=key, task_queue=QUEUE)
        else:
            start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
                "PlainPost",
                args=arguments,
                id=key,
                task_queue=QUEUE,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            )
            await self._client.execute_update_with_start_workflow("outcome", start_workflow_operation=start)
        return await self.read(row.id)

    async def read(self, post_id: str) -> dict[str, Any]:
        """Return a post."""
        async with self._sessions() as session:
            return _shown(await session.get_one(Post, post_id, options=[selectinload(Post.targets)]))

    async def list(self, limit: int) -> list[dict[str, Any]]:
        """Return some posts."""
        async with self._sessions() as session:
            query = select(Post).order_by(Post.id.desc()).limit(limit).options(selectinload(Post.targets))
            return [_shown(row) for row in await session.scalars(query)]


def _shown(row: Post) -> dict[str, Any]:
    targets = [
        {"accountId": target.account_id, "status": target.status, "platformPostId": target.platform_post_id}
        for target in row.targets
    ]
    return {"id": row.id, "content": row.content, "picture": row.picture, "targets": targets}


async def prepare(database: str, accounts: Iterable[Account]) -> None:
    """Make the tables, and save the accounts."""
    engine = create_async_engine(database)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
    async with AsyncSession(engine) as session, session.begin():
        session.add_all(accounts)
    await engine.dispose()


class _Server(uvicorn.Server):
    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        print("ready", flush=True)


async def _run(role: str, database: str, temporal: str, sandbox: str, port: str) -> None:
    engine = create_async_engine(database)
    sessions = async_sessionmaker(engine, expire_on_commit=False)
    client = await Client.connect(temporal, data_converter=pydantic_data_converter)
    if role == "worker":
        publishing = Publishing(sessions, sandbox)
        async with Worker(client, task_queue=QUEUE, workflows=[PlainPost], activities=[publishing.publish]):
            print("ready", flush=True)
            await input_end()
    else:
        app = Endpoints(sessions, client).app()
        server = _Server(uvicorn.Config(app, port=int(port), log_config=None, access_log=False))
        serving = asyncio.create_task(server.serve())
        await input_end()
        server.should_exit = True
        await serving
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(_run(*sys.argv[1:6]))
