"""GET /v1/accounts/{platform}/{accountId}/choices: the worker asks the platform for the values of a setting."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from api.accounts import actions
from platforms.capabilities import MOST_CHOICES, bounded
from reconcile.expiry import expire
from store.accounts.connected import change_places
from store.models import Account, ChoiceList
from tests.api.conftest import Client, read_answer
from tests.stack import Stack


async def ask(api: Client, account: Account, setting: str, **query: str) -> httpx.Response:
    where = f"/v1/accounts/{account.platform}/{account.id}/choices"
    return await api.get(where, params={"setting": setting, **query})


async def listed(api: Client, account: Account, setting: str, **query: str) -> dict[str, Any]:
    answer = read_answer(await ask(api, account, setting, **query))
    assert answer["setting"] == setting
    return answer


def labels(answer: dict[str, Any]) -> list[str]:
    return [choice["label"] for choice in answer["choices"]]


async def test_a_listed_board_takes_a_pin(api: Client, stack: Stack) -> None:
    account = await stack.connect("pinterest")
    boards = await listed(api, account, "boardId")
    assert (labels(boards), boards["more"]) == (["Sandbox", "Recipes", "Knots"], False)
    board = boards["choices"][1]["value"]
    sections = await listed(api, account, "boardSectionId", within=board)
    assert labels(sections) == ["Easy", "Hard"]
    settings = {"boardId": board, "boardSectionId": sections["choices"][0]["value"]}
    target = {"platform": "pinterest", "accountId": account.id, "platformSpecificData": settings}
    media = [{"type": "image", "url": "https://example.com/board.jpg"}]
    post = await api.send_post(
        {"content": "on a board", "platforms": [target], "mediaItems": media, "publishNow": True}
    )
    assert post.json()["status"] == "published", post.text


async def test_pages_are_followed(api: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platforms.pinterest.platform.PAGE_OF_CHOICES", 2)
    monkeypatch.setattr("platforms.pinterest.platform.MOST_CHOICES", 4)
    account = await stack.connect("pinterest")
    assert labels(await listed(api, account, "boardId")) == ["Sandbox", "Recipes", "Knots"]
    monkeypatch.setattr("platforms.pinterest.platform.MOST_CHOICES", 2)
    cut = await listed(api, account, "boardId")
    assert (labels(cut), cut["more"]) == (["Sandbox", "Recipes"], True)


async def test_channels_are_those_in_which_the_bot_may_publish(api: Client, stack: Stack) -> None:
    account = await stack.connect("discord")
    channels = await listed(api, account, "channelId")
    # The bot may not send in #staff, and forums take no messages.
    assert labels(channels) == ["#general", "#news"]
    settings = {"channelId": channels["choices"][1]["value"]}
    target = {"platform": "discord", "accountId": account.id, "platformSpecificData": settings}
    post = await api.send_post({"content": "to the news channel", "platforms": [target], "publishNow": True})
    assert post.json()["status"] == "published", post.text


async def test_a_webhook_has_no_other_channel(api: Client, stack: Stack) -> None:
    account = await stack.connect("discord", userId="webhook-123456")
    response = await ask(api, account, "channelId")
    assert (response.status_code, response.json()["param"]) == (422, "setting")
    assert "webhook" in response.json()["error"]


async def test_flairs_are_those_of_a_subreddit(api: Client, stack: Stack) -> None:
    account = await stack.connect("reddit")
    for subreddit in ("test", "r/test"):
        flairs = await listed(api, account, "flairId", within=subreddit)
        assert labels(flairs) == ["News", "Question"]
    response = await ask(api, account, "flairId", within="closed")
    assert response.status_code == 422


async def test_a_missing_permission_is_named(api: Client, stack: Stack) -> None:
    account = await stack.connect("reddit")
    async with stack.database.transaction() as session:
        own = update(Account).where(Account.workspace_id == account.workspace_id, Account.id == account.id)
        await session.execute(own.values(scopes=["identity", "submit", "read"]))
    response = await ask(api, account, "flairId", within="closed")
    problem = response.json()["errors"][0]
    assert (response.status_code, problem["code"], problem["accountId"]) == (422, "permission_missing", account.id)
    assert "flair" in problem["error"]


async def test_categories_and_playlists_of_a_channel(api: Client, stack: Stack) -> None:
    account = await stack.connect("youtube")
    assert labels(await listed(api, account, "categoryId")) == [
        "Film & Animation",
        "People & Blogs",
        "Science & Technology",
    ]
    playlists = await listed(api, account, "playlistId")
    assert (len(playlists["choices"]), playlists["more"]) == (60, False)
    assert len({choice["value"] for choice in playlists["choices"]}) == 60


async def test_other_customers_locations_are_not_listed(api: Client, stack: Stack) -> None:
    account = await stack.connect("googlebusiness")
    await stack.switch_on("googlebusiness", "other_group", account)
    own = await listed(api, account, "locationId")
    assert [choice["value"] for choice in own["choices"]] == [account.user_id]
    async with stack.database.transaction() as session:
        await change_places(session, account.workspace_id, account.id, allow={"locationId": {"*"}})
    assert set(labels(await listed(api, account, "locationId"))) == {account.username, "Other"}


@pytest.mark.parametrize(
    ("platform", "query", "param"),
    [
        ("pinterest", {}, "setting"),
        ("pinterest", {"setting": "boardid"}, "setting"),
        ("pinterest", {"setting": "boardSectionId"}, "within"),
        ("pinterest", {"setting": "boardSectionId", "within": "../users"}, "within"),
        ("pinterest", {"setting": "boardId", "within": "1"}, "within"),
        ("pinterest", {"setting": "boardId", "limit": "1"}, "limit"),
        ("reddit", {"setting": "flairId", "within": "a b"}, "within"),
        ("mastodon", {"setting": "boardId"}, "setting"),
    ],
)
async def test_bad_queries_are_400(api: Client, platform: str, query: dict[str, str], param: str) -> None:
    response = await api.get(f"/v1/accounts/{platform}/any/choices", params=query)
    assert (response.status_code, response.json()["param"]) == (400, param), response.text


async def test_accounts_of_other_workspaces_are_not_found(api: Client, stranger: Client, stack: Stack) -> None:
    account = await stack.connect("pinterest")
    assert (await ask(stranger, account, "boardId")).status_code == 404
    assert (await api.get(f"/v1/accounts/reddit/{account.id}/choices?setting=flairId&within=a1")).status_code == 404


@pytest.mark.parametrize(
    ("fault", "answer"),
    [
        ({"status": 401, "body": {"code": 2}}, (422, "account_refused")),
        ({"status": 429, "body": {"code": 8}}, (429, "rate_limited")),
        ({"status": 500, "body": {}}, (503, "unavailable")),
    ],
    ids=str,
)
async def test_a_platforms_refusal_is_passed_on(
    api: Client, stack: Stack, fault: dict[str, Any], answer: tuple[int, str]
) -> None:
    account = await stack.connect("pinterest")
    await stack.fault("pinterest", "reject", "auth", accountId=account.id, times=5, **fault)
    response = await ask(api, account, "boardId")
    assert (response.status_code, response.json()["code"]) == answer, response.text
    assert "Retry-After" in response.headers or answer[0] == 422


async def test_no_worker_is_said(api: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    async def nothing(_: Any, __: Any) -> None:
        return None

    account = await stack.connect("pinterest")
    monkeypatch.setattr("workflows.client.post_workflows.PostWorkflows.choices", nothing)
    response = await ask(api, account, "boardId")
    assert (response.status_code, response.json()["code"]) == (503, "unavailable")


async def test_requests_are_limited_and_deleted(
    stranger: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = await stack.connect("pinterest", workspace_id=stranger.workspace_id)
    monkeypatch.setattr(actions, "MOST_LISTS", 2)
    assert [(await ask(stranger, account, "boardId")).status_code for _ in range(3)] == [200, 200, 429]
    rows = select(func.count()).select_from(ChoiceList).where(ChoiceList.workspace_id == stranger.workspace_id)
    async with stack.database.transaction() as session:
        assert await session.scalar(rows) == 2
        await session.execute(update(ChoiceList).values(asked_at=datetime.now(UTC) - timedelta(minutes=11)))
    await expire(stack.worker_database, datetime.now(UTC))
    async with stack.database.reading() as session:
        assert await session.scalar(rows) == 0


async def test_workflows_know_no_names(stranger: Client, stack: Stack) -> None:
    account = await stack.connect("pinterest", workspace_id=stranger.workspace_id)
    await listed(stranger, account, "boardId")
    async with stack.database.reading() as session:
        own = select(ChoiceList.id).where(ChoiceList.workspace_id == stranger.workspace_id)
        list_id = await session.scalar(own)
    history = await stack.client.get_workflow_handle(list_id or "").fetch_history()
    assert "Recipes" not in str(history.events)


def test_a_list_of_choices_is_bounded() -> None:
    choices = bounded((number, "x" * 1_000) for number in range(MOST_CHOICES + 5))
    assert (len(choices.items), choices.more, len(choices.items[0].label)) == (MOST_CHOICES, True, 200)
    assert bounded([(None, "a"), ("", "b"), ("x" * 101, "c"), ({}, "d"), ("1", None)]).items[0].label == "1"
