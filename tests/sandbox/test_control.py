import re

import httpx

from tests.sandbox.conftest import ACCOUNTS, Sandbox


async def test_posts_show_everything_published_newest_first(sandbox: Sandbox) -> None:
    first = await sandbox.tweet("one https://example.com/x & two")
    second = await sandbox.publish(await sandbox.container(image_url="https://example.com/a.jpg", caption="three"))
    newer, older = await sandbox.posts()
    created = older.pop("createdAt")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", created)
    assert newer["createdAt"] >= created
    assert older == {
        "platform": "twitter",
        "accountId": "acc_premium",
        "platformPostId": first,
        "text": "one https://example.com/x & two",
        "mediaCount": 0,
        "deleted": False,
        "supersededBy": None,
    }
    assert (newer["platformPostId"], newer["accountId"], newer["mediaCount"]) == (second, "acc_ig", 1)


async def test_posts_can_be_filtered(sandbox: Sandbox) -> None:
    await sandbox.tweet("one")
    await sandbox.free.post("/2/tweets", json={"text": "two"})

    async def texts(**query: str) -> list[str]:
        answer = await sandbox.control.get("/_/posts", params=query)
        return [post["text"] for post in answer.json()["posts"]]

    assert await texts(accountId="acc_free") == ["two"]
    assert await texts(platform="instagram") == []
    assert await texts(since="2020-01-01T00:00:00Z") == ["two", "one"]
    assert await texts(since="2999-01-01T00:00:00+02:00") == []
    assert (await sandbox.control.get("/_/posts", params={"since": "soon"})).status_code == 400


async def test_requests_are_listed_with_operation_and_status_but_no_token(sandbox: Sandbox) -> None:
    user, post = "2244994945", await sandbox.tweet("one")
    await sandbox.x.get(f"/2/users/{user}/tweets")
    await sandbox.x.get(f"/2/tweets/{post}")
    await sandbox.x.get("/2/users/me")
    await sandbox.x.post("/2/oauth2/token", data={"grant_type": "refresh_token", "refresh_token": "nope"})
    await sandbox.x.post("/2/media/upload/initialize", json={})
    await sandbox.x.post("/2/tweets", json={"text": "two", "edit_options": {"previous_post_id": post}})
    await sandbox.x.delete(f"/2/tweets/{post}")
    await sandbox.ig.get("/v25.0/me", params={"access_token": "ig-token"})
    await sandbox.ig.get("/no/such/thing")
    logged = await sandbox.requests()
    assert [(entry["operation"], entry["status"]) for entry in reversed(logged)] == [
        ("publish", 201),
        ("confirm", 200),
        ("confirm", 200),
        ("auth", 200),
        ("auth", 400),
        ("prepare", 400),
        ("edit", 201),
        ("delete", 200),
        ("auth", 200),
        ("confirm", 404),
    ]
    assert set(logged[0]) == {"at", "platform", "operation", "method", "path", "accountId", "status"}
    assert logged[-1]["path"] == "/2/tweets"
    assert "token" not in (await sandbox.control.get("/_/requests")).text.replace("/2/oauth2/token", "")


async def test_requests_can_be_filtered(sandbox: Sandbox) -> None:
    await sandbox.tweet("one")
    await sandbox.ig.get("/me")
    answer = await sandbox.control.get("/_/requests", params={"platform": "twitter", "operation": "publish"})
    assert len(answer.json()["requests"]) == 1
    premium = answer.json()["requests"][0]["accountId"]
    assert premium == "acc_premium"
    for query, count in (
        ({"accountId": premium}, 1),
        ({"accountId": "acc_free"}, 0),
        ({"since": "2999-01-01T00:00:00Z"}, 0),
    ):
        answer = await sandbox.control.get("/_/requests", params={"operation": "publish", **query})
        assert len(answer.json()["requests"]) == count
    assert (await sandbox.control.get("/_/requests", params={"since": "yesterday"})).status_code == 400


async def test_accounts_are_listed_without_tokens_and_may_be_repeated(shared: Sandbox) -> None:
    for _ in range(2):
        assert (await shared.control.post("/_/accounts", json={"accounts": ACCOUNTS})).status_code == 200
    listed = (await shared.control.get("/_/accounts")).json()["accounts"]
    assert [account["accountId"] for account in listed] == ["acc_premium", "acc_free", "acc_ig"]
    assert set(listed[0]) == {"platform", "accountId", "userId", "username", "premium"}


async def test_repeating_an_account_keeps_renewed_tokens_and_revives_no_used_one(sandbox: Sandbox) -> None:
    form = {"grant_type": "refresh_token", "refresh_token": "x-refresh"}
    renewed = (await sandbox.x.post("/2/oauth2/token", data=form)).json()
    await sandbox.control.post("/_/accounts", json={"accounts": ACCOUNTS})
    headers = {"authorization": f"Bearer {renewed['access_token']}"}
    assert (await sandbox.x.get("/2/users/me", headers=headers)).status_code == 200
    unused = form | {"refresh_token": renewed["refresh_token"]}
    assert (await sandbox.x.post("/2/oauth2/token", data=unused)).status_code == 200
    assert (await sandbox.x.post("/2/oauth2/token", data=form)).status_code == 400


async def test_bad_accounts_are_refused(shared: Sandbox) -> None:
    unknown = ACCOUNTS[0] | {"platform": "myspace"}
    missing = {"platform": "twitter", "accountId": "a"}
    bodies: list[object] = [{}, {"accounts": [missing]}, {"accounts": [unknown]}, {"accounts": ACCOUNTS, "more": 1}, []]
    for body in bodies:
        answer = await shared.control.post("/_/accounts", json=body)
        assert answer.status_code == 400, body
        assert answer.json()["error"]


async def test_health_names_the_platforms(shared: Sandbox) -> None:
    health = (await shared.control.get("/_/health")).json()
    assert (health["status"], health["realistic"]) == ("ok", False)
    assert health["platforms"] == sorted(health["platforms"])
    assert {"instagram", "twitter"} <= set(health["platforms"])
    assert health["failed"] == {}


async def test_the_page_loads_nothing_from_elsewhere(shared: Sandbox) -> None:
    answer = await shared.control.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    addresses = re.findall(r"(?:src|href)\s*=\s*[\"'](?!data:)([^\"']+)", answer.text)
    assert addresses == []
    assert "@import" not in answer.text


async def test_the_feed_sends_cards_only_when_there_is_news(sandbox: Sandbox) -> None:
    async def feed(**query: str) -> httpx.Response:
        return await sandbox.control.get("/_/feed", params=query)

    for number in range(3):
        await sandbox.tweet(f"post {number}")
    page = (await feed(count="2")).json()
    assert (page["total"], [card["text"] for card in page["cards"]]) == (3, ["post 2", "post 1"])
    assert page["cards"][0]["username"] == "premium"
    assert "cards" not in (await feed(count="2", version=page["version"])).json()
    await sandbox.tweet("one more")
    assert (await feed(count="2", version=page["version"])).json()["cards"][0]["text"] == "one more"
    assert (await feed(platform="instagram")).json()["cards"] == []


async def test_tokens_of_an_account_can_be_revoked(sandbox: Sandbox) -> None:
    where = {"platform": "twitter", "accountId": "acc_premium"}
    answer = await sandbox.control.delete("/_/tokens", params=where)
    grants = {"grants": [{"renewals": 0, "replays": 0, "ended": False}]}
    assert (answer.status_code, answer.json()) == (200, where | grants)
    assert (await sandbox.x.get("/2/users/me")).status_code == 401
    assert (await sandbox.free.get("/2/users/me")).status_code == 200
    renewal = {"grant_type": "refresh_token", "refresh_token": "x-refresh", "client_id": "c"}
    assert (await sandbox.x.post("/2/oauth2/token", data=renewal)).status_code == 400
    # A stack that starts again registers its old tokens.
    await sandbox.control.post("/_/accounts", json={"accounts": ACCOUNTS})
    assert (await sandbox.x.get("/2/users/me")).status_code == 401
    await sandbox.control.post("/_/accounts", json={"accounts": [{**ACCOUNTS[0], "accessToken": "x-new"}]})
    headers = {"authorization": "Bearer x-new"}
    assert (await sandbox.x.get("/2/users/me", headers=headers)).json()["data"]["username"] == "premium"
    assert (await sandbox.control.delete("/_/tokens", params={**where, "accountId": "none"})).status_code == 400
    assert (await sandbox.control.delete("/_/tokens")).status_code == 400
