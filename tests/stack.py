"""The running product, as a test sees it: its rows, its workflows and its sandbox."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
from pydantic import SecretStr
from sqlalchemy import delete, select
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from domain.audit import Actor, api_key
from domain.content import EditedText, PostContent, TargetContent
from domain.errors import Conflict, Problem
from domain.ids import new_id, workflow_id
from domain.ownership import may_change
from domain.plan import Plan
from domain.post import Media, MediaType, PostStatus
from domain.schedule import rfc3339
from platforms.registry import platforms
from runtime.settings import VaultSettings
from store.accounts.connected import find_accounts, save_account
from store.announcer import Outcomes
from store.database import Database
from store.models import Account, ApiKey, Post, Workspace
from store.posts.changes import delete_post, lock_post, reopen, resolve, target_rows
from store.posts.contents import new_columns, post_content, rewrite
from store.posts.creating import create_post
from store.posts.delivery import post_plan, record_delivered
from store.posts.queries import add_revision, find_post
from store.publishing.rate_limits import Bucket
from store.secrets.vault import Vault
from store.workspaces.keys import create_key, create_workspace
from workflows.client.delivery import deliver_or_move
from workflows.client.post_workflows import PostWorkflows

CLIENT = api_key("key_of_a_test")
"""A client that only the owner of the database can name: its key does not exist."""
# Each test ends with it: one statement without a transaction of its own costs a third of two within one.
_FORGET_REFUSALS_AND_FIND_UNFINISHED = """
    WITH refusals AS (DELETE FROM app_refusals)
    SELECT DISTINCT post_id FROM targets WHERE status NOT IN ('published', 'failed')
"""


@dataclass(slots=True)
class Stack:
    """The running product, as a test sees it."""

    database: Database
    """The owner's connection, with which a test reads and changes any row."""
    database_url: str
    api_database: Database
    """With the API's rights in production."""
    worker_database: Database
    """With a worker's rights in production."""
    client: Client
    workflows: PostWorkflows
    outcomes: Outcomes
    settings: VaultSettings
    sandbox_url: str
    http: httpx.AsyncClient
    controls: httpx.AsyncClient
    """A client of the sandbox's control side."""
    workspace_id: str = ""
    api_key: str = ""
    accounts: dict[str, Account] = field(default_factory=dict)
    began_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    programmed: bool = False
    """Whether faults or conditions may be left."""
    workers: Sequence[Worker] = ()
    """Those that run as long as the stack."""

    async def control(self, method: str, path: str, body: Any = None) -> Any:
        self.programmed |= method == "POST" and path in {"faults", "conditions"}
        response = await self.controls.request(method, f"/_/{path}", json=body)
        response.raise_for_status()
        return response.json()

    async def fault(self, platform: str, fault: str, operation: str | None = None, **more: Any) -> None:
        body = {"platform": platform, "fault": fault, **({"operation": operation} if operation else {}), **more}
        await self.control("POST", "faults", body)

    async def switch_on(self, platform: str, condition: str, account: Account | None = None) -> None:
        """Switch on a condition of a platform until faults are cleared."""
        named = {"accountId": account.id} if account else {}
        await self.control("POST", "conditions", {"platform": platform, "condition": condition, **named})

    async def clear_faults(self) -> None:
        if self.programmed:
            await self.control("DELETE", "faults")
            await self.control("DELETE", "conditions")
            self.programmed = False

    async def forget_unfinished(self) -> None:
        """Delete the rows of unfinished posts: no worker may continue them and take the faults of the next test."""
        rows = await self.database.rows(_FORGET_REFUSALS_AND_FIND_UNFINISHED)
        await self._delete_posts([row["post_id"] for row in rows])

    async def delete_workspace(self) -> None:
        """Delete the workspace with its rows, first the rows that a worker changes.

        A worker that has locked one of them waits for the workspace's row, which its events name. If that row were
        deleted first, its deletion would wait for the worker's.
        """
        async with self.database.reading() as session:
            own = select(Post.id).where(Post.workspace_id == self.workspace_id)
            post_ids = (await session.scalars(own)).all()
        await self._delete_posts(post_ids)
        for statement in (
            delete(Account).where(Account.workspace_id == self.workspace_id),
            delete(Workspace).where(Workspace.id == self.workspace_id),
        ):
            async with self.database.transaction() as session:
                await session.execute(statement)

    async def _delete_posts(self, post_ids: Sequence[str]) -> None:
        """Delete posts one at a time: a background task may lock several of them in another order."""
        for post_id in post_ids:
            await self.database.rows("DELETE FROM posts WHERE id = $1", post_id)

    async def public(self, text_: str) -> list[dict[str, Any]]:
        """Return everything with this text that became public since the test began."""
        posts = (await self.control("GET", f"posts?since={rfc3339(self.began_at)}"))["posts"]
        return [post for post in posts if post["text"] == text_]

    async def new_workspace(self, name: str = "") -> tuple[str, str]:
        """Make a workspace and a key for it."""
        async with self.database.transaction() as session:
            workspace = await create_workspace(session, name or f"test {secrets.token_hex(4)}")
            return workspace, (await create_key(session, workspace)).key

    async def connect(
        self, name: str, *, workspace_id: str = "", premium: bool = False, webhook: bool = False, **credentials: Any
    ) -> Account:
        """Connect a new account of the sandbox; `webhook`: by a webhook of Discord's."""
        user_id = str(secrets.randbelow(10**12) + 10**12)
        platform = platforms()[name]
        token = credentials.pop("accessToken", secrets.token_urlsafe(16))
        account_id = platform.account_id(user_id)
        known = {
            "platform": name,
            "accountId": account_id,
            "userId": user_id,
            "username": f"{name}_{user_id[-4:]}",
            "accessToken": token,
            "premium": premium,
            **({"refreshToken": credentials["refreshToken"]} if "refreshToken" in credentials else {}),
        }
        await self.control("POST", "accounts", {"accounts": [known]})
        if webhook:
            credentials = {"webhookUrl": f"https://discord.com/api/webhooks/{user_id}/{token}"}
        else:
            credentials["accessToken"] = token
            if "user_id" in platform.credentials.model_fields:
                credentials.setdefault("userId", user_id)
        parsed = platform.credentials.model_validate(credentials)
        async with self.database.transaction() as session:
            return await save_account(
                session,
                Vault(self.settings.encryption_keys),
                workspace_id=workspace_id or self.workspace_id,
                account_id=account_id,
                platform=name,
                user_id=user_id,
                username=known["username"],
                premium=premium,
                credentials=plain_credentials(parsed),
            )

    def bucket(self, account: Account, step: str) -> Bucket:
        """Return an account's bucket, as the server that plays its platform knows it."""
        return Bucket(account.platform, self.sandbox_url.removeprefix("http://"), account.id, step)

    async def revoked(self, platform: str) -> Account:
        """Connect an account whose token its platform rejects, as after a change of the password."""
        account = await self.connect(platform)
        await self._keep_token(account, secrets.token_urlsafe(16))
        return account

    async def reconnect(self, account: Account) -> None:
        """Give an account a token that its platform accepts."""
        token = secrets.token_urlsafe(16)
        known = {
            "platform": account.platform,
            "accountId": account.id,
            "userId": account.user_id,
            "username": account.username,
            "accessToken": token,
        }
        await self.control("POST", "accounts", {"accounts": [known]})
        await self._keep_token(account, token)

    async def _keep_token(self, account: Account, token: str) -> None:
        credentials = platforms()[account.platform].credentials.model_validate({"accessToken": token})
        async with self.database.transaction() as session:
            await save_account(
                session,
                Vault(self.settings.encryption_keys),
                workspace_id=account.workspace_id,
                account_id=account.id,
                platform=account.platform,
                user_id=account.user_id,
                username=account.username,
                premium=account.premium,
                credentials=plain_credentials(credentials),
            )

    async def save(
        self,
        content: str,
        accounts: Sequence[Account],
        *,
        due_in: timedelta | None = None,
        media: Sequence[str] = (),
        settings: dict[str, Any] | None = None,
        tags: Sequence[str] = (),
    ) -> Post:
        """Save a post as the API does, to be published now or later."""
        now = datetime.now(UTC)
        due = now + due_in if due_in else now
        post_content = PostContent(
            content=content,
            media_items=[Media(type=_kind(url), url=url) for url in media],
            targets=[
                TargetContent(platform=account.platform, account_id=account.id, settings=settings or {})
                for account in accounts
            ],
            scheduled_for=due if due_in else None,
            tags=list(tags),
        )
        post_id = new_id("post")
        post = new_columns(
            post_id,
            self.workspace_id,
            workflow_id(self.workspace_id, post_id, None),
            post_content,
            status=PostStatus.SCHEDULED if due_in else PostStatus.PUBLISHING,
            due_at=due,
            now=now,
        ).as_post()
        await create_post(self.database, post)
        return await self.read(post.id)

    async def start(self, post: Post) -> WorkflowHandle[Any, Any]:
        """Start a saved post's workflow as the api does."""
        await self.workflows.start(await self.plan(post))
        return self.client.get_workflow_handle(post.workflow_id)

    async def actor(self) -> Actor:
        """Return the client that has an API key of the workspace."""
        async with self.database.reading() as session:
            own = select(ApiKey.id).where(ApiKey.workspace_id == self.workspace_id)
            return api_key((await session.scalars(own.order_by(ApiKey.id).limit(1))).one())

    async def plan(self, post: Post) -> Plan:
        """Return the plan of a post, for its workflow."""
        async with self.database.transaction() as session:
            accounts = await find_accounts(session, post.workspace_id, [target.account_id for target in post.targets])
        return post_plan(post, accounts)

    async def write_change(self, post: Post, *, due: datetime | None, draft: bool = False, **content: Any) -> Post:
        """Change a post's row as the API does, without notifying its workflow. Raises Conflict if it has begun."""
        status = PostStatus.DRAFT if draft else PostStatus.SCHEDULED
        async with self.api_database.transaction() as session:
            row = await lock_post(session, post.id)
            assert row
            if not may_change(PostStatus(row.status), await target_rows(session, row)):
                raise Conflict(Problem("Publishing has begun", "conflict"))
            changed = post_content(row).model_copy(update=content)
            rewrite(row, changed, await self.actor(), status=status, due_at=due, now=datetime.now(UTC))
        return await self.read(post.id)

    async def change(self, post: Post, *, due: datetime | None, draft: bool = False, **content: Any) -> Post:
        """Change a post as the api does. Raises Conflict if it has begun."""
        row = await self.write_change(post, due=due, draft=draft, **content)
        if draft:
            await self.workflows.unschedule(row.workflow_id, row.id, row.version)
        else:
            await self.deliver(row)
        return row

    async def deliver(self, post: Post) -> None:
        """Notify a post's workflow of its row's state, as the sweep does."""
        plan = await self.plan(post)
        await deliver_or_move(self.worker_database, self.workflows, plan)
        async with self.api_database.transaction() as session:
            await record_delivered(session, {plan.post_id: plan.version})

    async def delete(self, post: Post) -> PostStatus:
        """Delete a post as the API does, and return its last status. Raises Conflict while it is being published."""
        async with self.api_database.transaction() as session:
            row = await lock_post(session, post.id)
            if row is None or not await delete_post(session, row, await self.actor()):
                raise Conflict(Problem("It is being published", "conflict"))
        await self.workflows.unschedule(post.workflow_id, post.id, row.version + 1, deleted=True)
        return PostStatus(row.status)

    async def retry(self, post: Post) -> None:
        """Retry the failed targets of a post as the API does. Raises Conflict if no target has failed."""
        async with self.api_database.transaction() as session:
            row = await lock_post(session, post.id)
            if row is None or not await reopen(session, row, await self.actor()):
                raise Conflict(Problem("Nothing has failed", "nothing_to_retry"))
        await self.deliver(await self.read(post.id))

    async def resolve(self, post: Post, platform_post_id: str | None, *, published: bool, target: int = 0) -> None:
        """Settle a post's target by a person's decision, as the API does."""
        async with self.api_database.transaction() as session:
            row = await lock_post(session, post.id)
            if row is None or not await resolve(
                session, row, row.targets[target], platform_post_id, await self.actor(), published=published
            ):
                raise Conflict(Problem("It is not unconfirmed", "conflict"))
        await self.deliver(await self.read(post.id))

    async def new_text(self, post: Post, text_: str) -> str:
        """Save an edit of a published post as the api does, and return its revision's id."""
        async with self.database.transaction() as session:
            edit = EditedText(content=text_, target_ids=[target.id for target in post.targets])
            return await add_revision(session, post, edit, CLIENT, datetime.now(UTC))

    async def read(self, post_id: str) -> Post:
        """Return a post's current row."""
        async with self.database.transaction() as session:
            post = await find_post(session, self.workspace_id, post_id)
            assert post is not None
            return post

    async def settled(self, post_id: str, timeout: float = 60) -> Post:  # noqa: ASYNC109
        """Wait until a post is no longer waiting or publishing, and return it."""

        async def done() -> bool:
            return (await self.read(post_id)).status not in {PostStatus.SCHEDULED, PostStatus.PUBLISHING}

        if not await self.outcomes.wait(post_id, done, timeout):
            raise TimeoutError("the post did not settle")
        return await self.read(post_id)

    def require_workers(self) -> None:
        """Raise an error if a worker has ended: it ends the task that began it, which was over."""
        for worker in self.workers:
            if worker.is_shutdown:
                raise RuntimeError(f"a worker has ended: {worker}") from worker._async_context_run_exception

    async def publish(self, content: str, accounts: Sequence[Account], **more: Any) -> Post:
        """Save a post, start it and wait for its outcome."""
        post = await self.save(content, accounts, **more)
        await self.start(post)
        return await self.settled(post.id)


def _kind(url: str) -> MediaType:
    kinds = {"gif": MediaType.GIF, "mp4": MediaType.VIDEO, "pdf": MediaType.DOCUMENT}
    return kinds.get(url.rpartition(".")[2], MediaType.IMAGE)


def plain_credentials(credentials: Any) -> dict[str, Any]:
    """Return credentials as they are stored, with their secrets in clear text."""
    return {
        name: value.get_secret_value() if isinstance(value, SecretStr) else value
        for name, value in credentials
        if value is not None
    }
