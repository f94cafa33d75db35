"""The endpoints under /v1/accounts, against the sandbox's platforms."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from api.accounts.actions import MOST_CHECKS
from store.models import Account
from tests.api.accounts.rows import (
    age,
    change_row,
    known_to_sandbox,
    read_account,
    read_health,
    remove,
    revoke_at_platform,
)
from tests.api.conftest import Client
from tests.api.connect.consents import begin, connected, consent, refused, trade
from tests.stack import Stack


class TestSettings:
    async def test_account_has_its_own_setting_or_that_of_the_workspace(self, stranger: Client, stack: Stack) -> None:
        account = await connected(stranger, stack, "twitter", "eve")
        url = f"/v1/accounts/twitter/{account['accountId']}"
        assert (await stranger.get("/v1/accounts/settings")).json() == {"whenUnreadable": "resendOnce"}
        for _ in range(2):
            changed = await stranger.put("/v1/accounts/settings", json={"whenUnreadable": "askMe"})
            assert (changed.status_code, changed.json()) == (200, {"whenUnreadable": "askMe"})
        assert (await stranger.get("/v1/accounts/settings")).json() == {"whenUnreadable": "askMe"}
        for value in ("resendOnce", None):
            answer = await stranger.patch(url, json={"whenUnreadable": value})
            assert (answer.status_code, answer.json()["whenUnreadable"]) == (200, value)
        (listed,) = (await stranger.get("/v1/accounts")).json()["accounts"]
        assert listed["whenUnreadable"] is None
        for body in ({}, {"whenUnreadable": "never"}, {"whenUnreadable": "askMe", "name": "x"}):
            assert (await stranger.patch(url, json=body)).status_code == 400
            assert (await stranger.put("/v1/accounts/settings", json=body)).status_code == 400
        missing = await stranger.patch("/v1/accounts/twitter/tw_0", json={"whenUnreadable": "askMe"})
        assert missing.status_code == 404


class TestList:
    async def test_accounts_are_listed_page_by_page(self, stranger: Client, stack: Stack) -> None:
        accounts = [await connected(stranger, stack, "twitter", name) for name in ("ann", "bob", "cyd")]
        accounts.append(await connected(stranger, stack, "reddit", "dan"))
        ids = sorted(entry["accountId"] for entry in accounts)
        whole = (await stranger.get("/v1/accounts")).json()
        assert [account["accountId"] for account in whole["accounts"]] == ids
        assert (whole["cursor"], whole["hasMore"]) == (None, False)
        first = next(account for account in whole["accounts"] if account["accountId"] == accounts[0]["accountId"])
        assert first == {
            "platform": "twitter",
            "accountId": accounts[0]["accountId"],
            "username": "ann",
            "connectedAt": accounts[0]["connectedAt"],
            "health": "healthy",
            "tokenValid": True,
            "expiresAt": None,
            "whenUnreadable": None,
        }
        pages, cursor = list[str](), dict[str, str]()
        while True:
            page = (await stranger.get("/v1/accounts", params={"limit": "3", **cursor})).json()
            pages += [account["accountId"] for account in page["accounts"]]
            if not page["hasMore"]:
                break
            cursor = {"cursor": page["cursor"]}
        assert pages == ids
        of_reddit = (await stranger.get("/v1/accounts", params={"platform": "reddit"})).json()["accounts"]
        assert [entry["platform"] for entry in of_reddit] == ["reddit"]

    async def test_another_workspaces_accounts_are_not_listed(self, stranger: Client, api: Client) -> None:
        assert (await api.get("/v1/accounts")).json()["accounts"]
        assert (await stranger.get("/v1/accounts")).json()["accounts"] == []
        assert (await stranger.get("/v1/accounts/health")).json()["accounts"] == []

    @pytest.mark.parametrize(
        ("path", "query", "param", "code"),
        [
            ("", {"platform": "myspace"}, "platform", "invalid_field_value"),
            ("", {"limit": "0"}, "limit", "invalid_field_value"),
            ("", {"limit": "101"}, "limit", "invalid_field_value"),
            ("", {"cursor": "e30"}, "cursor", "invalid_field_value"),
            ("", {"cursor": "!"}, "cursor", "invalid_field_value"),
            ("", {"health": "healthy"}, "health", "unknown_parameter"),
            ("/health", {"health": "ill"}, "health", "invalid_field_value"),
            ("/myspace/tw_1/health", {}, "platform", "invalid_field_value"),
            ("/twitter/tw_1/health", {"check": "yes"}, "check", "invalid_field_value"),
            ("/twitter/tw_1/history", {"limit": "1"}, "limit", "unknown_parameter"),
        ],
    )
    async def test_invalid_history_queries_are_refused(
        self, stranger: Client, path: str, query: dict[str, str], param: str, code: str
    ) -> None:
        await refused(await stranger.get(f"/v1/accounts{path}", params=query), 400, code, param)

    async def test_no_token_is_in_any_answer(self, stranger: Client, stack: Stack) -> None:
        account = await connected(stranger, stack, "twitter")
        stored = await known_to_sandbox(stack, stranger, account["accountId"])
        answers = [
            await stranger.get("/v1/accounts"),
            await stranger.get("/v1/accounts/health"),
            await stranger.get(f"/v1/accounts/twitter/{account['accountId']}/health"),
            await remove(stranger, "twitter", account["accountId"]),
            await stranger.get(f"/v1/accounts/twitter/{account['accountId']}/history"),
        ]
        for answer in answers:
            assert answer.status_code == 200, answer.text
            assert not [name for name, value in stored.items() if name.endswith("_token") and value in answer.text]


class TestHealth:
    async def test_health_is_read_from_rows(self, stranger: Client, stack: Stack) -> None:
        well = (await connected(stranger, stack, "twitter", "ann"))["accountId"]
        ends = (await connected(stranger, stack, "linkedin", "bob"))["accountId"]
        gone = (await connected(stranger, stack, "reddit", "cyd"))["accountId"]
        now = datetime.now(UTC)
        soon = now + timedelta(days=3, hours=1)
        await change_row(stack, stranger, ends, expires_at=soon, refresh_expires_at=soon)
        await change_row(stack, stranger, gone, refused_at=now, refusal="Reddit has suspended cyd.")
        reports = {
            account["accountId"]: account for account in (await stranger.get("/v1/accounts/health")).json()["accounts"]
        }
        assert {key: (report["health"], report["tokenValid"], report["reason"]) for key, report in reports.items()} == {
            well: ("healthy", True, None),
            ends: ("warning", True, "expiring"),
            gone: ("needs_reconnect", False, "refused"),
        }
        assert reports[ends]["recommendations"] == ["Token expires in 3 days. Consider reconnecting."]
        assert reports[ends]["expiresAt"] is not None
        assert "tweet.write" in reports[well]["permissions"]
        ill = (await stranger.get("/v1/accounts/health", params={"health": "needs_reconnect"})).json()
        assert [account["accountId"] for account in ill["accounts"]] == [gone]
        assert not ill["hasMore"]
        assert await read_health(stranger, "reddit", gone) == reports[gone]

    async def test_list_by_health_continues_at_its_cursor(self, stranger: Client, stack: Stack) -> None:
        ids = sorted([(await connected(stranger, stack, "twitter", name))["accountId"] for name in ("a1", "b1", "c1")])
        page = (await stranger.get("/v1/accounts/health", params={"health": "healthy", "limit": "2"})).json()
        assert ([account["accountId"] for account in page["accounts"]], page["hasMore"]) == (ids[:2], True)
        query = {"health": "healthy", "limit": "2", "cursor": page["cursor"]}
        rest = (await stranger.get("/v1/accounts/health", params=query)).json()
        assert ([account["accountId"] for account in rest["accounts"]], rest["hasMore"]) == (ids[2:], False)

    async def test_declined_permissions_are_named(self, stranger: Client, stack: Stack) -> None:
        begun = await begin(stranger, "facebook")
        back = await consent(stack, begun, "dora", sandbox_decline="pages_manage_engagement")
        account = (await trade(stranger, "facebook", back)).json()
        report = await read_health(stranger, "facebook", account["accountId"])
        assert (report["health"], report["reason"]) == ("warning", "permission_declined")
        assert report["missingPermissions"] == ["pages_manage_engagement"]
        assert "pages_manage_engagement" not in report["permissions"]

    async def test_an_account_is_healthy_without_what_only_published_posts_need(
        self, stranger: Client, stack: Stack
    ) -> None:
        begun = await begin(stranger, "facebook")
        back = await consent(stack, begun, "dana", sandbox_decline="read_insights")
        account = (await trade(stranger, "facebook", back)).json()
        report = await read_health(stranger, "facebook", account["accountId"])
        assert (report["health"], report["missingPermissions"]) == ("healthy", [])
        assert {"read_insights", "pages_read_user_content"}.intersection(report["permissions"]) == {
            "pages_read_user_content"
        }

    async def test_an_account_of_another_workspace_is_not_found(
        self, stranger: Client, api: Client, stack: Stack
    ) -> None:
        others = stack.accounts["twitter"].id
        for path in ("health", "health?check=true", "history"):
            await refused(await stranger.get(f"/v1/accounts/twitter/{others}/{path}"), 404, "not_found")
        await refused(await stranger.get(f"/v1/accounts/reddit/{others}/health"), 404, "not_found")


class TestCheck:
    @pytest.mark.parametrize("platform", ["facebook", "threads", "linkedin", "reddit", "mastodon", "youtube", "tiktok"])
    async def test_check_reports_a_healthy_account(self, stranger: Client, stack: Stack, platform: str) -> None:
        more = {"instance": "https://social.example"} if platform == "mastodon" else {}
        account = (await connected(stranger, stack, platform, "eve", **more))["accountId"]
        await age(stack, stranger, account)
        before = await read_health(stranger, platform, account)
        report = await read_health(stranger, platform, account, check="true")
        assert (report["health"], report["recommendations"]) == ("healthy", [])
        assert report["checkedAt"] != before["checkedAt"]
        row = await read_account(stack, stranger, account)
        assert row is not None
        assert row.inspected_at is not None

    async def test_check_detects_a_revoked_account(self, stranger: Client, stack: Stack) -> None:
        account = (await connected(stranger, stack, "linkedin", "flo"))["accountId"]
        await age(stack, stranger, account)
        await revoke_at_platform(stack, "linkedin", "flo")
        report = await read_health(stranger, "linkedin", account, check="true")
        assert (report["health"], report["tokenValid"], report["reason"]) == ("needs_reconnect", False, "refused")

    async def test_check_detects_a_withdrawn_page(self, stranger: Client, stack: Stack) -> None:
        account = (await connected(stranger, stack, "facebook", "gus"))["accountId"]
        await age(stack, stranger, account)
        await stack.switch_on("facebook", "page_withdrawn")
        report = await read_health(stranger, "facebook", account, check="true")
        assert (report["health"], report["reason"]) == ("needs_reconnect", "permission_missing")
        assert report["missingPermissions"] == ["pages_manage_posts"]

    async def test_unresponsive_platform_refuses_no_account(self, stranger: Client, stack: Stack) -> None:
        account = (await connected(stranger, stack, "reddit", "hal"))["accountId"]
        await age(stack, stranger, account)
        await stack.fault("reddit", "reject", status=503)
        report = await read_health(stranger, "reddit", account, check="true")
        assert (report["health"], report["tokenValid"], report["reason"]) == ("warning", True, "check_failed")
        assert "could not be asked" in report["recommendations"][0]

    async def test_the_platform_is_asked_once_a_minute(self, stranger: Client, stack: Stack) -> None:
        account = (await connected(stranger, stack, "reddit", "ida"))["accountId"]
        await age(stack, stranger, account)
        answers = await asyncio.gather(*(read_health(stranger, "reddit", account, check="true") for _ in range(5)))
        row = await read_account(stack, stranger, account)
        assert row is not None
        asked_at = row.inspected_at
        await read_health(stranger, "reddit", account, check="true")
        again = await read_account(stack, stranger, account)
        assert again is not None
        assert again.inspected_at == asked_at
        assert {answer["health"] for answer in answers} == {"healthy"}

    async def test_x_is_checked_once_a_day(self, stranger: Client, stack: Stack) -> None:
        account = (await connected(stranger, stack, "twitter", "jim"))["accountId"]
        await change_row(stack, stranger, account, last_ok_at=datetime.now(UTC) - timedelta(hours=23))
        await read_health(stranger, "twitter", account, check="true")
        row = await read_account(stack, stranger, account)
        assert row is not None
        assert row.inspected_at is None

    async def test_checks_of_a_workspace_are_limited_per_minute(self, stranger: Client, stack: Stack) -> None:
        account = (await connected(stranger, stack, "reddit", "kim"))["accountId"]
        await age(stack, stranger, account)
        row = await read_account(stack, stranger, account)
        assert row is not None
        async with stack.database.transaction() as session:
            for number in range(MOST_CHECKS):
                values = {attr.key: getattr(row, attr.key) for attr in Account.__mapper__.column_attrs}
                values |= {"id": f"rd_x{number}", "inspected_at": datetime.now(UTC)}
                session.add(Account(**values))
        response = await stranger.get(f"/v1/accounts/reddit/{account}/health", params={"check": "true"})
        await refused(response, 429, "rate_limited")
        assert response.headers["retry-after"] == "60"
