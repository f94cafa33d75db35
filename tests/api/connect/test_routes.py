"""GET and POST /v1/connect/{platform}: accounts that people connect themselves, against the sandbox's platforms."""

import asyncio
import logging
from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import select, text, update

from reconcile.expiry import expire
from sandbox.authorization import PLAY_SECRET
from store.models import Account, PendingConnection
from tests.api.conftest import Client, read_answer
from tests.api.connect.consents import (
    BACK,
    SERVER,
    _query,
    begin,
    connected,
    consent,
    credentials,
    read_connection,
    refused,
    trade,
)
from tests.running import OTHERS_APP
from tests.stack import Stack


@pytest.mark.parametrize(
    ("platform", "kind", "asked"),
    [
        (
            "twitter",
            "tw_",
            {"scope": "tweet.read tweet.write users.read media.write offline.access tweet.moderate.write"},
        ),
        ("linkedin", "li_", {"scope": "openid profile w_member_social"}),
        ("pinterest", "pi_", {"scope": "boards:read,boards:write,pins:read,pins:write,user_accounts:read"}),
        ("reddit", "rd_", {"duration": "permanent"}),
        ("tiktok", "tt_", {"client_key": "sandbox-app", "disable_auto_auth": "1"}),
        ("facebook", "fb_", {"client_id": "sandbox-app"}),
        ("instagram", "ig_", {"client_id": "sandbox-app"}),
        ("threads", "th_", {"client_id": "sandbox-app"}),
        ("mastodon", "ma_", {"scope": "read:accounts read:statuses write:statuses write:media"}),
        ("youtube", "yt_", {"access_type": "offline", "prompt": "consent"}),
        ("googlebusiness", "gb_", {"access_type": "offline", "prompt": "consent"}),
    ],
)
async def test_an_account_is_connected_and_publishes(
    stranger: Client, stack: Stack, platform: str, kind: str, asked: dict[str, str]
) -> None:
    begun = await begin(stranger, platform, **({"instance": SERVER} if platform == "mastodon" else {}))
    assert begun["method"] == "oauth"
    query = _query(begun["authUrl"])
    assert asked.items() <= query.items()
    assert (query["redirect_uri"], query["state"]) == (BACK, begun["state"])
    without_pkce = {"facebook", "instagram", "threads", "linkedin", "pinterest", "reddit", "tiktok"}
    assert query.get("code_challenge_method") == (None if platform in without_pkce else "S256")
    account = read_answer(await trade(stranger, platform, await consent(stack, begun)), 201)
    assert account["platform"] == platform
    assert account["accountId"].startswith(kind)
    assert account["username"].removeprefix("@") == "jane"
    assert account["missingPermissions"] == []
    assert set(query["scope"].replace(",", " ").split()) == set(account["permissions"])
    stored = await credentials(stack, stranger.workspace_id, account["accountId"])
    # At Mastodon each connection has an app of its own, which is the only one whose secret is stored.
    assert (stored["client_id"] == "sandbox-app") is (platform != "mastodon")
    assert (stored.get("client_secret") is not None) is (platform == "mastodon")
    assert PLAY_SECRET not in str(stored)
    if platform in {"facebook", "linkedin", "mastodon", "threads", "twitter"}:
        post = {
            "content": f"from a connected account of {platform}",
            "platforms": [{"platform": platform, "accountId": account["accountId"]}],
            "publishNow": True,
        }
        published = await stranger.send_post(post)
        assert published.json()["status"] == "published", published.text


async def test_the_same_person_again_is_the_same_account(stranger: Client, stack: Stack) -> None:
    first = await connected(stranger, stack, "twitter")
    begun = await begin(stranger, accountId=first["accountId"])
    response = await trade(stranger, "twitter", await consent(stack, begun))
    assert response.status_code == 200
    assert response.json()["accountId"] == first["accountId"]


async def test_reconnecting_as_another_person_changes_nothing(stranger: Client, stack: Stack) -> None:
    first = await connected(stranger, stack, "twitter")
    before = await credentials(stack, stranger.workspace_id, first["accountId"])
    begun = await begin(stranger, accountId=first["accountId"])
    response = await trade(stranger, "twitter", await consent(stack, begun, "mallory"))
    assert "Nothing was changed" in await refused(response, 422, "different_account")
    assert await credentials(stack, stranger.workspace_id, first["accountId"]) == before
    async with stack.database.reading() as session:
        owned = select(Account.id).where(Account.workspace_id == stranger.workspace_id)
        assert list(await session.scalars(owned)) == [first["accountId"]]


async def test_only_an_account_of_the_workspace_is_reconnected(stranger: Client, api: Client, stack: Stack) -> None:
    others = stack.accounts["twitter"].id
    response = await stranger.get("/v1/connect/twitter", params={"redirect_url": BACK, "accountId": others})
    await refused(response, 422, "account_not_found", "accountId")


class TestSeveral:
    async def test_one_of_several_locations_is_selected(self, stranger: Client, stack: Stack) -> None:
        await stack.switch_on("googlebusiness", "other_group")
        begun = await begin(stranger, "googlebusiness")
        connected_account = read_answer(
            await trade(stranger, "googlebusiness", await consent(stack, begun, "shopkeeper"))
        )
        assert (connected_account["accountId"], connected_account["username"]) == (None, None)
        options = connected_account["selection"]["options"]
        assert [(option["name"], option["type"], option["selectable"], option["connected"]) for option in options] == [
            ("shopkeeper", "location", True, False),
            ("Other", "location", True, False),
        ]
        body = {"selectionId": connected_account["selection"]["id"], "ids": [option["id"] for option in options]}
        wrong = await stranger.post("/v1/connect/googlebusiness/select", json=body | {"ids": ["999"]})
        await refused(wrong, 400, "invalid_field_value", "ids.0")
        chosen = await stranger.post("/v1/connect/googlebusiness/select", json=body)
        assert chosen.status_code == 201, chosen.text
        accounts = chosen.json()["accounts"]
        assert {account["username"] for account in accounts} == {"shopkeeper", "Other"}
        assert chosen.json()["accountId"] == accounts[0]["accountId"]
        # A repeated request gets the same response, and another choice is refused.
        again = await stranger.post("/v1/connect/googlebusiness/select", json=body)
        assert again.json() == chosen.json()
        other = await stranger.post("/v1/connect/googlebusiness/select", json=body | {"ids": body["ids"][:1]})
        await refused(other, 422, "connection_expired", "selectionId")
        assert (await read_connection(stack, stranger.workspace_id)).sealed is None

    async def test_a_selection_belongs_to_its_workspace(self, stranger: Client, api: Client, stack: Stack) -> None:
        await stack.switch_on("googlebusiness", "other_group")
        begun = await begin(stranger, "googlebusiness")
        selection = (await trade(stranger, "googlebusiness", await consent(stack, begun, "shopkeeper"))).json()[
            "selection"
        ]
        body = {"selectionId": selection["id"], "ids": [selection["options"][0]["id"]]}
        response = await api.post("/v1/connect/googlebusiness/select", json=body)
        await refused(response, 422, "connection_expired", "selectionId")

    async def test_pages_without_the_task_to_publish_cannot_be_chosen(self, stranger: Client, stack: Stack) -> None:
        await stack.switch_on("facebook", "several_pages")
        begun = await begin(stranger, "facebook")
        selection = (await trade(stranger, "facebook", await consent(stack, begun, "baker"))).json()["selection"]
        assert [(option["name"], option["selectable"]) for option in selection["options"]] == [
            ("baker", True),
            ("baker 2", True),
            ("baker 3", False),
        ]
        assert "Content" in selection["options"][2]["reason"]
        body = {"selectionId": selection["id"], "ids": [selection["options"][2]["id"]]}
        response = await stranger.post("/v1/connect/facebook/select", json=body)
        await refused(response, 400, "invalid_field_value", "ids.0")
        body["ids"] = [selection["options"][1]["id"]]
        chosen = await stranger.post("/v1/connect/facebook/select", json=body)
        assert chosen.json()["username"] == "baker 2"
        assert chosen.json()["accounts"][0]["expiresAt"] is None

    async def test_page_is_reconnected_among_several(self, stranger: Client, stack: Stack) -> None:
        page = await connected(stranger, stack, "facebook", "baker")
        await stack.switch_on("facebook", "several_pages")
        again = await connected(stranger, stack, "facebook", "baker", accountId=page["accountId"])
        assert again["accountId"] == page["accountId"]

    async def test_a_member_may_choose_pages(self, stranger: Client, stack: Stack) -> None:
        await stack.switch_on("linkedin", "organisation")
        begun = await begin(stranger, "linkedin", **{"as": "both"})
        assert "w_organization_social" in _query(begun["authUrl"])["scope"]
        response = await trade(stranger, "linkedin", await consent(stack, begun, "editor"))
        types = [option["type"] for option in response.json()["selection"]["options"]]
        # The page of which the member is an ANALYST is not among them.
        assert types == ["profile", "organization", "organization"]

    async def test_a_member_and_a_page_of_the_same_number_are_two_accounts(
        self, stranger: Client, stack: Stack
    ) -> None:
        """The sandbox gives a member's page the member's number."""
        member = await connected(stranger, stack, "linkedin", "one number")
        page = await connected(stranger, stack, "linkedin", "one number", **{"as": "pages"})
        number = member["accountId"].removeprefix("li_")
        assert page["accountId"] == f"li_organization-{number}"
        stored = await credentials(stack, stranger.workspace_id, member["accountId"])
        assert "organization_urn" not in stored
        begun = await begin(stranger, "linkedin", **{"as": "both"})
        response = await trade(stranger, "linkedin", await consent(stack, begun, "one number"))
        selection = response.json()["selection"]
        body = {"selectionId": selection["id"], "ids": [option["id"] for option in selection["options"]]}
        chosen = (await stranger.post("/v1/connect/linkedin/select", json=body)).json()
        assert [account["accountId"] for account in chosen["accounts"]] == [member["accountId"], page["accountId"]]


class TestStates:
    async def test_a_repeat_is_answered_as_the_first(self, stranger: Client, stack: Stack) -> None:
        back = await consent(stack, await begin(stranger))
        both = await asyncio.gather(*(trade(stranger, "twitter", back) for _ in range(3)))
        answers = [response.json() for response in [*both, await trade(stranger, "twitter", back)]]
        assert answers.count(answers[0]) == len(answers)
        assert answers[0]["accountId"]

    async def test_another_code_with_a_used_state_is_refused(self, stranger: Client, stack: Stack) -> None:
        begun = await begin(stranger)
        first, second = await consent(stack, begun), await consent(stack, begun, "mallory")
        assert (await trade(stranger, "twitter", first)).status_code == 201
        await refused(await trade(stranger, "twitter", second), 422, "connection_expired", "state")

    async def test_a_state_of_another_workspace_is_unknown(self, stranger: Client, api: Client, stack: Stack) -> None:
        back = await consent(stack, await begin(stranger))
        await refused(await trade(api, "twitter", back), 422, "connection_expired", "state")
        # The refused request has not used up the state.
        assert (await trade(stranger, "twitter", back)).status_code == 201

    async def test_a_state_belongs_to_its_platform(self, stranger: Client, stack: Stack) -> None:
        back = await consent(stack, await begin(stranger))
        await refused(await trade(stranger, "youtube", back), 422, "connection_expired", "state")

    async def test_a_state_ends_after_ten_minutes(self, stranger: Client, stack: Stack) -> None:
        back = await consent(stack, await begin(stranger))
        async with stack.database.transaction() as session:
            ended = {"expires_at": datetime.now(UTC) - timedelta(seconds=1)}
            own = update(PendingConnection).where(PendingConnection.workspace_id == stranger.workspace_id)
            await session.execute(own.values(**ended))
        await refused(await trade(stranger, "twitter", back), 422, "connection_expired", "state")

    async def test_missing_state_means_the_only_open_connection(self, stranger: Client, stack: Stack) -> None:
        back = await consent(stack, await begin(stranger))
        assert (await trade(stranger, "twitter", back, state=None)).status_code == 201
        await refused(await trade(stranger, "twitter", back, state=None), 422, "connection_expired", "state")

    async def test_missing_state_is_refused_with_several_open_connections(self, stranger: Client, stack: Stack) -> None:
        back = await consent(stack, await begin(stranger))
        await begin(stranger)
        await refused(await trade(stranger, "twitter", back, state=None), 400, "missing_required_field", "state")
        assert (await trade(stranger, "twitter", back)).status_code == 201

    async def test_the_redirect_url_is_compared_as_text(self, stranger: Client, stack: Stack) -> None:
        back = await consent(stack, await begin(stranger))
        response = await trade(stranger, "twitter", back, redirect_url=BACK + "/")
        await refused(response, 400, "invalid_field_value", "redirect_url")
        assert (await trade(stranger, "twitter", back)).status_code == 201

    async def test_rows_are_deleted_a_day_later(self, stranger: Client, stack: Stack) -> None:
        await begin(stranger)
        await expire(stack.worker_database, datetime.now(UTC) + timedelta(minutes=11))
        assert (await read_connection(stack, stranger.workspace_id)).id
        await expire(stack.worker_database, datetime.now(UTC) + timedelta(days=1, minutes=11))
        assert not (await read_connection(stack, stranger.workspace_id)).id


class TestCredentials:
    async def test_a_platform_without_an_authorization_names_its_credentials(self, stranger: Client) -> None:
        begun = (await stranger.get("/v1/connect/bluesky")).json()
        assert (begun["method"], begun["authUrl"], begun["state"]) == ("credentials", None, None)
        assert {field["name"]: field["secret"] for field in begun["fields"]}["password"]

    async def test_internal_credentials_are_not_requested(self, stranger: Client) -> None:
        begun = (await stranger.get("/v1/connect/telegram")).json()
        assert [(field["name"], field["secret"], field["required"]) for field in begun["fields"]] == [
            ("botToken", True, True),
            ("chatId", False, True),
        ]

    @pytest.mark.parametrize(
        ("platform", "fields"),
        [
            ("bluesky", {"clientId": "https://posts.example/apps/bluesky.json", "dpopKey": "k", "refreshToken": "t"}),
            ("bluesky", {"issuer": "https://evil.example"}),
            ("bluesky", {"pds": "10.0.0.1"}),
            ("bluesky", {"did": "did:plc:somebodyelse", "accessJwt": "a"}),
            ("mastodon", {"clientId": "of-another", "clientSecret": "guessed"}),
        ],
    )
    async def test_a_client_may_not_write_credentials_kept_by_this_service(
        self, stranger: Client, stack: Stack, platform: str, fields: dict[str, str]
    ) -> None:
        """Neither the operator's app, nor a host that was never found by the account's own record."""
        known = await stack.connect(platform)
        own = await credentials(stack, stack.workspace_id, known.id)
        named = {"accessToken": own["access_token"], **({"userId": known.user_id} if platform == "bluesky" else {})}
        response = await stranger.post(f"/v1/connect/{platform}", json={"credentials": named | fields})
        await refused(response, 400, "invalid_field_value", "credentials")
        listed = (await stranger.get("/v1/connect/bluesky")).json()["fields"]
        assert {field["name"] for field in listed} == {"service", "identifier", "password"}

    @pytest.mark.parametrize("platform", ["mastodon", "telegram", "bluesky"])
    async def test_an_account_is_connected_by_credentials(self, stranger: Client, stack: Stack, platform: str) -> None:
        known = await stack.connect(platform)
        own = await credentials(stack, stack.workspace_id, known.id)
        token = own.get("access_token") or own["password"]
        fields = {"accessToken": token, **({"userId": known.user_id} if platform != "mastodon" else {})}
        response = await stranger.post(f"/v1/connect/{platform}", json={"credentials": fields})
        assert response.status_code == 201, response.text
        assert response.json()["accountId"] == known.id
        assert token not in response.text
        again = await stranger.post(f"/v1/connect/{platform}", json={"credentials": fields})
        assert again.status_code == 200

    async def test_another_workspaces_app_is_not_used(self, stranger: Client, stack: Stack) -> None:
        known = await stack.connect("twitter")
        token = (await credentials(stack, stack.workspace_id, known.id))["access_token"]
        for more in ({}, {"clientSecret": "a guess, for which the platform would refuse the app"}):
            fields = {"accessToken": token, "refreshToken": "r", "clientId": OTHERS_APP["clientId"], **more}
            response = await stranger.post("/v1/connect/twitter", json={"credentials": fields})
            sentence = await refused(response, 400, "invalid_field_value", "credentials")
            assert sentence.startswith("clientId names an app that this workspace may not use.")
        own = {"accessToken": token, "clientId": "my-own-app", "clientSecret": "my own secret"}
        response = await stranger.post("/v1/connect/twitter", json={"credentials": own})
        assert response.status_code == 201, response.text

    async def test_refused_credentials_are_reported(self, stranger: Client) -> None:
        response = await stranger.post("/v1/connect/mastodon", json={"credentials": {"accessToken": "hunter2-secret"}})
        sentence = await refused(response, 422, "credentials_rejected", "credentials")
        assert "hunter2-secret" not in sentence
        response = await stranger.post("/v1/connect/mastodon", json={"credentials": {"token": "hunter2-secret"}})
        await refused(response, 400, "invalid_field_value", "credentials")
        assert "hunter2-secret" not in response.text


async def test_no_secret_is_in_a_row_a_log_or_a_history(
    stranger: Client, stack: Stack, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    begun = await begin(stranger)
    back = await consent(stack, begun, "reader")
    account = (await trade(stranger, "twitter", back)).json()
    stored = await credentials(stack, stranger.workspace_id, account["accountId"])
    hidden = [back["code"], begun["state"], stored["access_token"], stored["refresh_token"], PLAY_SECRET]
    async with stack.database.reading() as session:
        rows = str((await session.execute(text("SELECT pending_connections::text FROM pending_connections"))).all())
    row = await read_connection(stack, stranger.workspace_id)
    history = ""
    for step in ("begin", "finish"):
        workflow_history = await stack.client.get_workflow_handle(f"{row.id}/{step}").fetch_history()
        history += workflow_history.to_json()
    for secret in hidden:
        assert secret not in rows
        assert secret not in history
        # This test is also the person's browser, whose client logs its own requests.
        own = [record.getMessage() for record in caplog.records if not record.name.startswith(("httpcore", "httpx"))]
        assert secret not in "\n".join(own)
    assert "code" not in parse_qs(urlsplit(begun["authUrl"]).query)
