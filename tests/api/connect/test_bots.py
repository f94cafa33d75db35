"""Connecting channels of Discord and chats of Telegram, with webhooks and with the operator's bots."""

import asyncio
from typing import Any

import httpx
import pytest

from sandbox.platforms.discord.base import SHARED_BOT
from sandbox.platforms.telegram.base import MEMBER
from sandbox.platforms.telegram.base import SHARED_BOT as TELEGRAM_BOT
from tests.api.conftest import Client, read_answer
from tests.api.connect.consents import begin, consent, credentials, refused, trade
from tests.stack import Stack


async def publish(api: Client, platform: str, account_id: str, text: str) -> dict[str, Any]:
    target = {"platform": platform, "accountId": account_id}
    body = {"content": text, "platforms": [target], "publishNow": True}
    response = await api.send_post(body)
    post: dict[str, Any] = response.json()
    assert post["status"] == "published", response.text
    return post


async def connect_discord(api: Client, stack: Stack, channel: str, **query: str) -> httpx.Response:
    begun = await begin(api, "discord", **query)
    return await trade(api, "discord", await consent(stack, begun, channel))


class TestDiscordWebhook:
    async def test_a_webhook_publishes_in_the_channel(self, stranger: Client, stack: Stack) -> None:
        account = read_answer(await connect_discord(stranger, stack, "announcements"), 201)
        assert account["accountId"].startswith("dc_webhook-")
        assert account["permissions"] == ["webhook.incoming"]
        assert account["expiresAt"] is None
        await publish(stranger, "discord", account["accountId"], "by a webhook of an authorization")

    async def test_reconnected_account_uses_the_new_webhook(self, stranger: Client, stack: Stack) -> None:
        first = (await connect_discord(stranger, stack, "reconnected")).json()
        old = await credentials(stack, stranger.workspace_id, first["accountId"])
        response = await connect_discord(stranger, stack, "reconnected", accountId=first["accountId"])
        assert response.status_code == 200, response.text
        assert response.json()["accountId"] == first["accountId"]
        new = await credentials(stack, stranger.workspace_id, first["accountId"])
        assert new["access_token"] != old["access_token"]
        assert (new["user_id"], new["in_channel"]) == (old["user_id"], old["in_channel"])
        await publish(stranger, "discord", first["accountId"], "by the webhook that replaced the first")
        # A third webhook replaces the second.
        again = await connect_discord(stranger, stack, "reconnected", accountId=first["accountId"])
        assert again.json()["accountId"] == first["accountId"]

    async def test_a_webhook_in_another_channel_changes_nothing(self, stranger: Client, stack: Stack) -> None:
        first = (await connect_discord(stranger, stack, "here")).json()
        old = await credentials(stack, stranger.workspace_id, first["accountId"])
        response = await connect_discord(stranger, stack, "elsewhere", accountId=first["accountId"])
        await refused(response, 422, "different_account")
        assert await credentials(stack, stranger.workspace_id, first["accountId"]) == old
        await publish(stranger, "discord", first["accountId"], "by the webhook that stayed")


class TestDiscordBot:
    async def test_channels_in_which_the_bot_may_publish_can_be_chosen(self, stranger: Client, stack: Stack) -> None:
        response = await connect_discord(stranger, stack, "guild one", kind="bot")
        assert response.status_code == 200, response.text
        selection = response.json()["selection"]
        assert [(option["name"], option["selectable"]) for option in selection["options"]] == [
            ("#general", True),
            ("#news", True),
            ("#staff", False),
        ]
        assert "send messages" in selection["options"][2]["reason"]
        body = {"selectionId": selection["id"], "ids": [selection["options"][1]["id"]]}
        chosen = await stranger.post("/v1/connect/discord/select", json=body)
        assert chosen.status_code == 201, chosen.text
        account_id = chosen.json()["accountId"]
        stored = await credentials(stack, stranger.workspace_id, account_id)
        assert SHARED_BOT not in str(stored)
        await publish(stranger, "discord", account_id, "by the shared bot")

    async def test_a_client_cannot_name_the_operators_bot(self, stranger: Client) -> None:
        credentials = {"botToken": "x", "channelId": "334385199974967042", "clientId": "sandbox-app"}
        response = await stranger.post("/v1/connect/discord", json={"credentials": credentials})
        await refused(response, 400, "invalid_field_value", "credentials")


class Person:
    """A person who has Telegram, and a channel or group there."""

    def __init__(self, stack: Stack) -> None:
        self._url = f"{stack.sandbox_url}/telegram/sandbox_bot"
        self._http = stack.http

    async def post(self, chat: str, text: str, **form: Any) -> None:
        fields = {"chat": chat, "text": text, "rights": "yes", **form}
        (
            await self._http.post(self._url, data={name: value for name, value in fields.items() if value})
        ).raise_for_status()


async def begin_telegram(api: Client, **query: str) -> dict[str, Any]:
    begun = read_answer(await api.get("/v1/connect/telegram", params=query))
    assert begun["method"] == "code"
    assert begun["authUrl"].endswith("/telegram/sandbox_bot?startchannel&admin=post_messages")
    return begun


async def ask(api: Client, begun: dict[str, Any]) -> httpx.Response:
    return await api.post("/v1/connect/telegram", json={"state": begun["state"]})


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("accounts.connecting.steps._READS", 2)
    monkeypatch.setattr("accounts.connecting.steps._PAUSE_S", 0.05)


class TestTelegramCode:
    async def test_the_channel_in_which_the_code_is_posted_is_connected(self, stranger: Client, stack: Stack) -> None:
        begun = await begin_telegram(stranger)
        await refused(await ask(stranger, begun), 422, "authorization_pending")
        await Person(stack).post("bakery_news", begun["state"])
        account = read_answer(await ask(stranger, begun), 201)
        assert account["username"] == "bakery_news"
        assert (await ask(stranger, begun)).json() == account
        stored = await credentials(stack, stranger.workspace_id, account["accountId"])
        assert TELEGRAM_BOT not in str(stored)
        await publish(stranger, "telegram", account["accountId"], "by the bot that all share")
        log = (await stack.control("GET", "requests?platform=telegram"))["requests"]
        assert any(request["path"].endswith("/deleteMessage") for request in log)

    async def test_codes_of_others_are_kept_for_them(self, stranger: Client, api: Client, stack: Stack) -> None:
        first, second = await begin_telegram(stranger), await begin_telegram(api)
        person = Person(stack)
        await person.post("first_channel", first["state"])
        await person.post("second_channel", second["state"])
        connected = await asyncio.gather(ask(stranger, first), ask(api, second))
        names = [response.json().get("username") for response in connected]
        if None in names:  # two processes have asked at the same moment
            names = [(await ask(stranger, first)).json()["username"], (await ask(api, second)).json()["username"]]
        assert names == ["first_channel", "second_channel"]

    async def test_code_belongs_to_its_workspace_and_works_once(
        self, stranger: Client, api: Client, stack: Stack
    ) -> None:
        begun = await begin_telegram(stranger)
        await refused(await ask(api, begun), 422, "connection_expired", "state")
        person = Person(stack)
        await person.post("own_channel", begun["state"])
        account = (await ask(stranger, begun)).json()
        await person.post("other_channel", begun["state"])
        assert (await ask(stranger, begun)).json() == account

    async def test_missing_rights_of_the_bot_are_reported_until_granted(self, stranger: Client, stack: Stack) -> None:
        begun, person = await begin_telegram(stranger), Person(stack)
        await person.post("closed_channel", begun["state"], rights="")
        sentence = await refused(await ask(stranger, begun), 422, "no_accounts")
        assert "administrator" in sentence
        await person.post("closed_channel", "The bot may post now.")
        assert (await ask(stranger, begun)).status_code == 201

    async def test_only_administrators_of_a_group_connect_it(self, stranger: Client, stack: Stack) -> None:
        begun, person = await begin_telegram(stranger), Person(stack)
        await person.post("some_group", begun["state"], kind="supergroup", author=MEMBER)
        await refused(await ask(stranger, begun), 422, "authorization_pending")
        await person.post("some_group", f"/start@sandbox_bot {begun['state']}", kind="supergroup")
        assert (await ask(stranger, begun)).json()["username"] == "some_group"

    async def test_a_chat_named_without_a_code_is_refused(self, stranger: Client, stack: Stack) -> None:
        await Person(stack).post("somebodys_channel", "hello")
        credentials = {"botToken": "-", "chatId": "@somebodys_channel", "clientId": TELEGRAM_BOT.partition(":")[0]}
        response = await stranger.post("/v1/connect/telegram", json={"credentials": credentials})
        await refused(response, 400, "invalid_field_value", "credentials")

    async def test_another_account_is_not_reconnected(self, stranger: Client, stack: Stack) -> None:
        person, begun = Person(stack), await begin_telegram(stranger)
        await person.post("kept_channel", begun["state"])
        account = (await ask(stranger, begun)).json()
        again = await begin_telegram(stranger, accountId=account["accountId"])
        await person.post("wrong_channel", again["state"])
        await refused(await ask(stranger, again), 422, "different_account")
