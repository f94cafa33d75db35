"""Accounts that people connect: the sandbox has the ids that the API says, also after a development stack's restart."""

from dataclasses import replace
from datetime import timedelta
from typing import Any
from unittest.mock import AsyncMock

import pytest
from sqlalchemy import update

from cli.data_dir import StackState
from cli.stack.seed import seed
from domain.post import TargetStatus
from platforms.registry import platforms
from reconcile.doctor.doctor import Doctor
from runtime.settings import VaultSettings
from sandbox.platforms.bluesky.base import PLAY_PASSWORD
from sandbox.server import load_fakes
from sandbox.world import World
from store.accounts.connected import save_account
from store.models import Target
from store.secrets.vault import Vault
from tests.api.conftest import Client
from tests.api.connect.consents import SERVER, begin, connected, consent, credentials, trade
from tests.stack import Stack, plain_credentials
from workflows.client.runs import Runs

OF_TEXTS = ("discord", "facebook", "linkedin", "mastodon", "threads", "twitter")
OF_MEDIA = ("googlebusiness", "instagram", "pinterest", "reddit", "tiktok", "youtube")


async def listed(stack: Stack, platform: str) -> list[str]:
    """Return the ids of the platform's accounts that the sandbox knows."""
    accounts = (await stack.control("GET", "accounts"))["accounts"]
    return sorted(str(account["accountId"]) for account in accounts if account["platform"] == platform)


async def restart(stack: Stack, client: Client) -> None:
    """Register a workspace's accounts with the sandbox again, as `socialsyncer dev` does whenever it starts."""
    settings = stack.settings.model_copy(update={"sandbox_url": stack.sandbox_url})
    key = client.headers["Authorization"].removeprefix("Bearer ")
    await seed_nothing_new(settings, stack, StackState(workspace_id=client.workspace_id, api_key=key))


async def seed_nothing_new(settings: VaultSettings, stack: Stack, state: StackState) -> None:
    """Register the accounts that there are, and connect none on the other platforms."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cli.stack.seed._connect", AsyncMock())
        await seed(settings, stack.sandbox_url, state)


async def connect(client: Client, stack: Stack, platform: str) -> str:
    options = {"instance": SERVER} if platform == "mastodon" else {}
    account = await connected(client, stack, platform, f"{platform} fan", **options)
    return str(account["accountId"])


async def publish(client: Client, platform: str, account_id: str, text: str) -> dict[str, Any]:
    target = {"platform": platform, "accountId": account_id}
    response = await client.send_post({"content": text, "platforms": [target], "publishNow": True})
    assert response.status_code == 201, response.text
    (answer,) = response.json()["platforms"]
    return {**answer, "post": response.json()["id"]}


async def public_texts(stack: Stack, account_id: str) -> list[str]:
    return [post["text"] for post in (await stack.control("GET", f"posts?accountId={account_id}"))["posts"]]


async def revoke(stack: Stack, platform: str, account_id: str) -> None:
    await stack.control("DELETE", f"tokens?platform={platform}&accountId={account_id}")


async def is_held(client: Client, platform: str, account_id: str) -> bool:
    """Return whether a post of an account whose tokens are revoked is held."""
    target = await publish(client, platform, account_id, f"revoked on {platform}")
    return bool(target["status"] == "held")


async def is_held_after_a_restart(client: Client, stack: Stack, platform: str, account_id: str) -> bool:
    """Revoke an account's tokens, start the stack again, and return whether a post of the account is held."""
    await revoke(stack, platform, account_id)
    await restart(stack, client)
    return await is_held(client, platform, account_id)


def test_the_sandbox_forms_ids_as_the_api_does() -> None:
    fakes = {fake.platform: fake for fake in load_fakes(World())[0]}
    assert fakes.keys() == platforms().keys()
    for name, fake in fakes.items():
        for user_id in ("1234", "did:plc:abc", "did:web:example.com", "webhook-5"):
            assert fake.api_account_id(user_id) == platforms()[name].account_id(user_id)


async def test_accounts_have_one_id_before_and_after_a_restart(stranger: Client, stack: Stack) -> None:
    platforms_of_accounts = (*OF_TEXTS, *OF_MEDIA)
    for platform in platforms_of_accounts:
        account_id = await connect(stranger, stack, platform)
        assert account_id in await listed(stack, platform)
    known = {platform: await listed(stack, platform) for platform in platforms_of_accounts}
    await restart(stack, stranger)
    assert {platform: await listed(stack, platform) for platform in platforms_of_accounts} == known


async def test_faults_posts_and_revocations_concern_the_account(stranger: Client, stack: Stack) -> None:
    accounts = {platform: await connect(stranger, stack, platform) for platform in OF_TEXTS}
    for platform, account_id in accounts.items():
        await stack.fault(platform, "accept_then_delay", "publish", accountId=account_id, seconds=0)
        assert (await publish(stranger, platform, account_id, f"taken by {platform}"))["status"] == "published"
        assert (await stack.control("GET", "faults"))["faults"] == []
        assert await public_texts(stack, account_id) == [f"taken by {platform}"]
    await restart(stack, stranger)
    report = await Doctor(stack.database, Runs(stack.client), stranger.workspace_id, stack.sandbox_url).diagnose()
    assert (report.findings, report.public) == ([], len(accounts))
    for platform, account_id in accounts.items():
        await revoke(stack, platform, account_id)
    await restart(stack, stranger)
    for platform, account_id in accounts.items():
        assert await is_held(stranger, platform, account_id)


async def test_revoked_app_password_stays_revoked(stranger: Client, stack: Stack) -> None:
    credentials = {"identifier": "alice.test", "accessToken": PLAY_PASSWORD}
    connect_it = {"credentials": credentials}
    account_id = (await stranger.post("/v1/connect/bluesky", json=connect_it)).json()["accountId"]
    assert account_id in await listed(stack, "bluesky")
    assert (await publish(stranger, "bluesky", account_id, "by an app password"))["status"] == "published"
    assert await public_texts(stack, account_id) == ["by an app password"]
    assert await is_held_after_a_restart(stranger, stack, "bluesky", account_id)
    assert (await stranger.post("/v1/connect/bluesky", json=connect_it)).status_code == 422
    credentials["accessToken"] = f"{PLAY_PASSWORD}-2"
    assert (await stranger.post("/v1/connect/bluesky", json=connect_it)).status_code == 200
    assert (await publish(stranger, "bluesky", account_id, "by another app password"))["status"] == "published"


async def test_webhook_that_replaced_another_has_the_id_of_the_account(stranger: Client, stack: Stack) -> None:
    account_id = await connect(stranger, stack, "discord")
    old = await credentials(stack, stranger.workspace_id, account_id)
    begun = await begin(stranger, "discord", accountId=account_id)
    again = await trade(stranger, "discord", await consent(stack, begun, "discord fan"))
    assert again.json()["accountId"] == account_id, again.text
    await publish(stranger, "discord", account_id, "by the second webhook")
    # The API deletes the first one once no account uses it.
    webhook = f"webhooks/{old['user_id'].removeprefix('webhook-')}/{old['access_token']}"
    await stack.http.delete(f"{stack.sandbox_url}/discord/api/v10/{webhook}")
    await restart(stack, stranger)
    assert (await publish(stranger, "discord", account_id, "after a restart"))["status"] == "published"
    assert await public_texts(stack, account_id) == ["after a restart", "by the second webhook"]


@pytest.mark.parametrize(
    ("platform", "own"),
    [
        ("mastodon", {"instance": "http://localhost:3000"}),
        ("mastodon", {"instance": "https://social.test:8443"}),
        ("bluesky", {"identifier": "bob.test", "service": "https://social.test:8443"}),
    ],
)
async def test_doctor_asks_the_sandbox_nothing_about_real_servers(
    stack: Stack, platform: str, own: dict[str, str]
) -> None:
    workspace_id, key = await stack.new_workspace()
    mine = replace(stack, workspace_id=workspace_id, api_key=key, accounts={})
    stored = platforms()[platform].credentials.model_validate({"accessToken": "any", **own})
    async with stack.database.transaction() as session:
        account = await save_account(
            session,
            Vault(stack.settings.encryption_keys),
            workspace_id=workspace_id,
            account_id=f"{platform[:2]}_of_{workspace_id}",
            platform=platform,
            user_id=f"of_{workspace_id}",
            username="bob",
            premium=False,
            credentials=plain_credentials(stored),
        )
    post = await mine.save("published on a real server", [account], due_in=timedelta(days=1))
    async with stack.database.transaction() as session:
        public = {"status": TargetStatus.PUBLISHED, "platform_post_id": "1795979495.284985"}
        await session.execute(update(Target).where(Target.post_id == post.id).values(**public))
    settings = stack.settings.model_copy(
        update={"sandbox_url": stack.sandbox_url, "private_account_hosts": ["localhost:3000", "social.test:8443"]}
    )
    await seed_nothing_new(settings, stack, StackState(workspace_id=workspace_id, api_key=key))
    assert account.id not in await listed(stack, platform)
    report = await Doctor(stack.database, Runs(stack.client), workspace_id, stack.sandbox_url).diagnose()
    assert [finding.what for finding in report.findings if "never had that post" in finding.what] == []


async def test_no_account_is_invented_for_a_platform_that_is_reached_elsewhere(stack: Stack) -> None:
    workspace_id, key = await stack.new_workspace()
    changes = {"sandbox_url": stack.sandbox_url, "base_urls": {"mastodon": "http://127.0.0.1:9"}}
    settings = stack.settings.model_copy(update=changes)
    accounts = await seed(settings, stack.sandbox_url, StackState(workspace_id=workspace_id, api_key=key))
    assert {account.platform for account in accounts} == platforms().keys() - {"mastodon"}


async def test_failure_of_an_unknown_account_is_not_programmed(stack: Stack) -> None:
    for body in ({"fault": "reject"}, {"condition": "app_refused"}):
        path = "faults" if "fault" in body else "conditions"
        named = {"platform": "twitter", "accountId": "tw_of_nobody", **body}
        response = await stack.http.post(f"{stack.sandbox_url}/_/{path}", json=named)
        assert (response.status_code, "Unknown account 'tw_of_nobody'" in response.text) == (400, True)


async def test_linkedin_page_and_its_member_stay_two_accounts(stranger: Client, stack: Stack) -> None:
    page = await connected(stranger, stack, "linkedin", "of both", **{"as": "pages"})
    member = await connected(stranger, stack, "linkedin", "of both")
    accounts = [str(page["accountId"]), str(member["accountId"])]
    known = await listed(stack, "linkedin")
    assert set(accounts) <= set(known)
    for time in ("before", "after"):
        await stack.fault("linkedin", "accept_then_delay", "publish", accountId=accounts[0], seconds=0)
        for account_id in reversed(accounts):
            # The same text, as one post to both has: neither counts as a double of the other.
            assert (await publish(stranger, "linkedin", account_id, f"{time} a restart"))["status"] == "published"
        assert (await stack.control("GET", "faults"))["faults"] == []
        await restart(stack, stranger)
        assert await listed(stack, "linkedin") == known
    assert [await public_texts(stack, account_id) for account_id in accounts] == [
        ["after a restart", "before a restart"]
    ] * 2
    report = await Doctor(stack.database, Runs(stack.client), stranger.workspace_id, stack.sandbox_url).diagnose()
    assert (report.findings, report.public) == ([], 4)
    assert await is_held_after_a_restart(stranger, stack, "linkedin", accounts[0])
    assert (await publish(stranger, "linkedin", accounts[1], "by the same consent"))["status"] == "held"
