"""POST /v1/posts: what is accepted, what is refused and how."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.schedule import rfc3339
from tests.api.conftest import Client, problems
from tests.stack import Stack

TARGET = {"platform": "twitter", "accountId": "tw_456"}


def in_future(days: float = 30) -> str:
    return rfc3339((datetime.now(UTC) + timedelta(days=days)).replace(microsecond=0))


@pytest.fixture
def twitter(stack: Stack) -> dict[str, str]:
    return {"platform": "twitter", "accountId": stack.accounts["twitter"].id}


@pytest.fixture
def plain(stack: Stack) -> dict[str, str]:
    return {"platform": "twitter", "accountId": stack.accounts["plain"].id}


@pytest.fixture
def instagram(stack: Stack) -> dict[str, str]:
    return {"platform": "instagram", "accountId": stack.accounts["instagram"].id}


class TestPublishNow:
    async def test_waits_for_real_results_on_every_platform(
        self, api: Client, stack: Stack, twitter: dict[str, str], instagram: dict[str, str]
    ) -> None:
        """The contract's own example, with accounts that exist."""
        response = await api.send_post(
            {
                "content": "Hello from SocialSyncerAPI!",
                "mediaItems": [{"type": "image", "url": "https://example.com/photo.jpg"}],
                "platforms": [instagram, twitter],
                "publishNow": True,
                "scheduledFor": None,
                "isDraft": False,
                "timezone": "UTC",
                "tags": ["marketing"],
                "tiktokSettings": {},
                "facebookSettings": {},
            }
        )
        post = response.json()
        assert response.status_code == 201
        assert post["status"] == "published"
        assert [target["platform"] for target in post["platforms"]] == ["instagram", "twitter"]
        for target in post["platforms"]:
            assert target["status"] == "published"
            assert target["platformPostUrl"].startswith("https://")
            assert target["content"] == "Hello from SocialSyncerAPI!"
            assert "error" not in target
        assert post["isDraft"] is False
        assert post["tags"] == ["marketing"]
        assert post["publishedAt"].endswith("Z")
        assert (await api.get(f"/v1/posts/{post['id']}")).json() == post

    async def test_a_failed_platform_makes_it_partial_and_says_why(
        self, api: Client, stack: Stack, twitter: dict[str, str], instagram: dict[str, str]
    ) -> None:
        await stack.fault("twitter", "reject", "publish", status=403, body={"title": "Forbidden", "status": 403})
        media = [{"type": "image", "url": "https://example.com/partial.jpg"}]
        response = await api.send_post(
            {"content": "partial", "mediaItems": media, "platforms": [instagram, twitter], "publishNow": True}
        )
        good, bad = response.json()["platforms"]
        assert response.status_code == 201
        assert response.json()["status"] == "partial"
        assert good["status"] == "published"
        assert bad["status"] == "failed"
        assert bad["platformPostId"] is None
        assert bad["error"]
        assert bad["errorCode"]
        assert bad["errorCategory"] in {"auth", "rejected", "platform"}
        assert isinstance(bad["retryable"], bool)

    async def test_prefer_wait_bounds_the_waiting(self, api: Client, stack: Stack, twitter: dict[str, str]) -> None:
        await stack.fault("twitter", "accept_then_delay", "publish", seconds=2)
        body = {"content": "no patience", "platforms": [twitter], "publishNow": True}
        response = await api.send_post(body, Prefer="wait=0")
        assert response.status_code == 201
        assert response.json()["status"] == "publishing"
        assert response.headers["preference-applied"] == "wait=0"
        assert (await stack.settled(response.json()["id"])).status == "published"

    async def test_a_time_that_has_only_just_passed_is_left_to_the_workers_clock(
        self, api: Client, stack: Stack, twitter: dict[str, str]
    ) -> None:
        """The clock of the api may be ahead of the others: it must not call a post due that is not."""
        moment = rfc3339(datetime.now(UTC) - timedelta(seconds=1))
        body = {"content": "due a moment ago", "platforms": [twitter], "scheduledFor": moment}
        response = await api.send_post(body)
        # It is not waited for, as a post is that is published now.
        assert response.json()["status"] == "publishing"
        assert (await stack.settled(response.json()["id"])).status == "published"

    async def test_a_time_just_past_counts_as_now(self, api: Client, twitter: dict[str, str]) -> None:
        moment = rfc3339(datetime.now(UTC) - timedelta(minutes=4))
        response = await api.send_post({"content": "late", "platforms": [twitter], "scheduledFor": moment})
        assert response.json()["status"] == "published"
        assert response.json()["scheduledFor"] == moment

    async def test_custom_content_and_settings_come_back(self, api: Client, twitter: dict[str, str]) -> None:
        own = {**twitter, "customContent": "only for X", "platformSpecificData": {"replySettings": "following"}}
        response = await api.send_post({"platforms": [own], "publishNow": True})
        (target,) = response.json()["platforms"]
        assert target["content"] == target["customContent"] == "only for X"
        assert target["platformSpecificData"] == {"replySettings": "following"}
        assert response.json()["content"] is None


class TestSchedule:
    async def test_the_contracts_example(self, api: Client, twitter: dict[str, str]) -> None:
        moment = in_future()
        response = await api.send_post(
            {
                "content": "Scheduled post",
                "platforms": [twitter],
                "publishNow": False,
                "scheduledFor": moment,
                "timezone": "America/New_York",
            }
        )
        assert response.status_code == 201
        assert response.json()["status"] == "scheduled"
        assert response.json()["scheduledFor"] == moment
        assert response.json()["timezone"] == "America/New_York"
        assert response.json()["platforms"][0]["status"] == "pending"
        assert response.json()["platforms"][0]["platformPostId"] is None

    @pytest.mark.parametrize(
        ("wall", "zone", "instant"),
        [
            ("2027-01-15T09:00:00", "America/New_York", "2027-01-15T14:00:00Z"),
            ("2027-07-15T09:00", "America/New_York", "2027-07-15T13:00:00Z"),
            ("2027-03-14T02:30:00", "America/New_York", "2027-03-14T07:30:00Z"),
            ("2027-11-07T01:30:00", "America/New_York", "2027-11-07T05:30:00Z"),
            ("2027-01-15T09:00:00+02:00", "America/New_York", "2027-01-15T07:00:00Z"),
            ("2027-01-15T09:00:00.250Z", "Asia/Tokyo", "2027-01-15T09:00:00.250Z"),
        ],
    )
    async def test_wall_times_are_resolved(
        self, api: Client, twitter: dict[str, str], wall: str, zone: str, instant: str
    ) -> None:
        body = {"content": "x", "platforms": [twitter], "scheduledFor": wall, "timezone": zone}
        assert (await api.send_post(body)).json()["scheduledFor"] == instant

    async def test_publishes_at_its_second_and_never_early(
        self, api: Client, stack: Stack, twitter: dict[str, str]
    ) -> None:
        due = (datetime.now(UTC) + timedelta(seconds=3)).replace(microsecond=0)
        body = {"content": "on the second", "platforms": [twitter], "scheduledFor": rfc3339(due)}
        post_id = (await api.send_post(body)).json()["id"]
        await stack.settled(post_id)
        (public,) = await stack.public("on the second")
        late = datetime.fromisoformat(public["createdAt"]) - due
        assert timedelta(0) <= late < timedelta(seconds=1)


class TestDraft:
    @pytest.mark.parametrize("extra", [{}, {"isDraft": True}, {"publishNow": False, "isDraft": False}])
    async def test_needs_no_platform_and_no_account(self, stranger: Client, extra: dict[str, Any]) -> None:
        response = await stranger.send_post({"content": "An idea", **extra})
        assert response.status_code == 201
        assert response.json()["status"] == "draft"
        assert response.json()["isDraft"] is True
        assert response.json()["platforms"] == []

    async def test_platform_rules_wait(self, stranger: Client) -> None:
        target = {**TARGET, "platformSpecificData": {"nonsense": 1}}
        response = await stranger.send_post({"content": "x" * 1000, "platforms": [target], "isDraft": True})
        assert response.status_code == 201

    async def test_remembers_its_time(self, stranger: Client) -> None:
        moment = in_future()
        response = await stranger.send_post({"content": "later", "isDraft": True, "scheduledFor": moment})
        assert response.json()["status"] == "draft"
        assert response.json()["scheduledFor"] == moment


NOW = {"content": "x", "platforms": [TARGET], "publishNow": True}


class TestShape:
    @pytest.mark.parametrize(
        ("body", "code", "param"),
        [
            ({"platforms": [TARGET], "publishNow": True}, "missing_required_field", "content"),
            ({**NOW, "content": "  "}, "missing_required_field", "content"),
            ({}, "missing_required_field", "content"),
            ({"content": "x", "publishNow": True}, "missing_required_field", "platforms"),
            ({**NOW, "platforms": []}, "missing_required_field", "platforms"),
            ({**NOW, "content": 5}, "invalid_field_value", "content"),
            ({**NOW, "publishNow": "true"}, "invalid_field_value", "publishNow"),
            ({**NOW, "publishNow": 1}, "invalid_field_value", "publishNow"),
            ({**NOW, "isDraft": "no"}, "invalid_field_value", "isDraft"),
            ({**NOW, "tags": "marketing"}, "invalid_field_value", "tags"),
            ({**NOW, "tags": [1]}, "invalid_field_value", "tags.0"),
            ({**NOW, "timezone": "Mars/Olympus"}, "invalid_field_value", "timezone"),
            ({**NOW, "tiktokSettings": []}, "invalid_field_value", "tiktokSettings"),
            ({**NOW, "facebookSettings": "x"}, "invalid_field_value", "facebookSettings"),
            ({**NOW, "mediaItems": [{"type": "image"}]}, "missing_required_field", "mediaItems.0.url"),
            (
                {**NOW, "mediaItems": [{"type": "audio", "url": "https://example.com/a"}]},
                "invalid_field_value",
                "mediaItems.0.type",
            ),
            (
                {**NOW, "mediaItems": [{"type": "image", "url": "file:///etc/passwd"}]},
                "invalid_field_value",
                "mediaItems.0.url",
            ),
            (
                {**NOW, "mediaItems": [{"type": "image", "url": "https://exa mple.com/a"}]},
                "invalid_field_value",
                "mediaItems.0.url",
            ),
            ({**NOW, "platforms": [{"accountId": "a"}]}, "missing_required_field", "platforms.0.platform"),
            ({**NOW, "platforms": [{"platform": "twitter"}]}, "missing_required_field", "platforms.0.accountId"),
            (
                {**NOW, "platforms": [{"platform": "myspace", "accountId": "a"}]},
                "invalid_field_value",
                "platforms.0.platform",
            ),
            ({**NOW, "platforms": [TARGET, TARGET]}, "duplicate_target", "platforms.1.accountId"),
            (
                {**NOW, "platforms": [{"platform": "twitter", "acountId": "a", "accountId": "b"}]},
                "unknown_parameter",
                "platforms.0.acountId",
            ),
            ({**NOW, "contents": "x"}, "unknown_parameter", "contents"),
            ({**NOW, "media_items": []}, "unknown_parameter", "media_items"),
            ({**NOW, "scheduledFor": "2030-01-01T00:00:00Z"}, "invalid_field_value", "scheduledFor"),
            ({**NOW, "isDraft": True}, "invalid_field_value", "isDraft"),
            (
                {"content": "x", "platforms": [TARGET], "scheduledFor": "tomorrow"},
                "invalid_field_value",
                "scheduledFor",
            ),
            ({"content": "x", "platforms": [TARGET], "scheduledFor": 1}, "invalid_field_value", "scheduledFor"),
            (
                {"content": "x", "platforms": [TARGET], "scheduledFor": "2020-01-01T00:00:00Z"},
                "invalid_field_value",
                "scheduledFor",
            ),
            (
                {"content": "x", "platforms": [TARGET], "scheduledFor": in_future(6 * 365)},
                "invalid_field_value",
                "scheduledFor",
            ),
            ({**NOW, "content": "a\0b"}, "invalid_field_value", "content"),
            (
                {"content": "x", "platforms": [{**TARGET, "customContent": ""}], "publishNow": True},
                "missing_required_field",
                "platforms.0.customContent",
            ),
        ],
    )
    async def test_one_problem_is_400_with_its_param(
        self, stranger: Client, body: dict[str, Any], code: str, param: str
    ) -> None:
        response = await stranger.send_post(body)
        answer = response.json()
        assert response.status_code == 400, answer
        assert (answer["type"], answer["code"], answer["param"]) == ("invalid_request_error", code, param)
        (problem,) = answer["errors"]
        assert problem == problem | {"error": answer["error"], "code": code, "param": param}
        assert set(problem) <= {"error", "code", "param", "platform", "accountId"}
        assert (await stranger.get("/v1/posts")).json()["posts"] == []

    async def test_the_contracts_sentence(self, api: Client) -> None:
        answer = (await api.send_post({"platforms": [TARGET], "publishNow": True})).json()
        assert answer["error"] == "content is required when no media is attached"

    async def test_content_may_be_left_out_with_media_or_custom_content(
        self, api: Client, instagram: dict[str, str], twitter: dict[str, str]
    ) -> None:
        media = [{"type": "image", "url": "https://example.com/only.jpg"}]
        moment = in_future()
        for body in (
            {"mediaItems": media, "platforms": [instagram]},
            {"platforms": [{**twitter, "customContent": "own"}]},
            {"platforms": [{**twitter, "customMedia": media}]},
        ):
            assert (await api.send_post({**body, "scheduledFor": moment})).status_code == 201

    async def test_everything_wrong_is_listed_in_the_contracts_order(self, stranger: Client) -> None:
        response = await stranger.send_post(
            {
                "zebra": 1,
                "tags": [1],
                "timezone": "Mars",
                "isDraft": True,
                "publishNow": True,
                "scheduledFor": "never",
                "platforms": [{"platform": "twitter", "accountId": 1, "customContent": 2}, {"platform": "x"}],
                "mediaItems": [{"type": "gif", "url": "nope"}],
            }
        )
        assert response.status_code == 400
        assert [problem["param"] for problem in response.json()["errors"]] == [
            "mediaItems.0.url",
            "platforms.0.accountId",
            "platforms.0.customContent",
            "platforms.1.platform",
            "platforms.1.accountId",
            "scheduledFor",
            "scheduledFor",
            "isDraft",
            "timezone",
            "tags.0",
            "zebra",
        ]
        assert response.json()["param"] == "mediaItems.0.url"

    @pytest.mark.parametrize(
        ("body", "params"),
        [
            (
                {**NOW, "content": None, "platforms": [{"platform": "x", "accountId": "a"}]},
                ["content", "platforms.0.platform"],
            ),
            ({**NOW, "platforms": [TARGET, TARGET, 5]}, ["platforms.1.accountId", "platforms.2"]),
            (
                {"content": "x", "platforms": [TARGET], "scheduledFor": "never", "timezone": "Mars"},
                ["scheduledFor", "timezone"],
            ),
            (
                {"content": "x", "platforms": [TARGET], "scheduledFor": "2020-01-01T00:00:00Z", "timezone": "Mars"},
                ["scheduledFor", "timezone"],
            ),
            ({**NOW, "content": "a\0b", "tags": [1], "timezone": "U\0"}, ["content", "timezone", "tags.0"]),
            # A misspelling is why the field it was meant to be is missing.
            (
                {**NOW, "platforms": [{"platform": "twitter", "acountId": "a"}]},
                ["platforms.0.acountId", "platforms.0.accountId"],
            ),
            ({"contnet": "x", "platforms": [TARGET], "publishNow": True}, ["contnet", "content"]),
            # What cannot be read is not said to be missing or twice.
            ({**NOW, "content": None, "platforms": [{**TARGET, "customContent": 5}]}, ["platforms.0.customContent"]),
            (
                {**NOW, "platforms": [{"platform": 5}, {"platform": 5}]},
                [
                    "platforms.0.platform",
                    "platforms.0.accountId",
                    "platforms.1.platform",
                    "platforms.1.accountId",
                ],
            ),
            ({"content": "x", "platforms": [TARGET], "scheduledFor": in_future(5 * 365 + 2)}, ["scheduledFor"]),
        ],
    )
    async def test_a_field_at_fault_hides_no_other_problem(
        self, api: Client, body: dict[str, Any], params: list[str]
    ) -> None:
        response = await api.send_post(body)
        assert response.status_code == 400
        assert [problem["param"] for problem in response.json()["errors"]] == params

    async def test_shape_errors_hide_platform_errors(self, stranger: Client) -> None:
        response = await stranger.send_post({**NOW, "content": "x" * 300, "tags": 1})
        assert response.status_code == 400
        assert [problem["param"] for problem in response.json()["errors"]] == ["tags"]

    async def test_suggests_what_was_meant(self, stranger: Client) -> None:
        body = {"contnt": "x", "platforms": [{"platform": "twiter", "acountId": "a"}], "publishNow": True}
        sentences = {problem["param"]: problem["error"] for problem in problems(await stranger.send_post(body))}
        assert "did you mean content?" in sentences["contnt"]
        assert "did you mean twitter?" in sentences["platforms.0.platform"]
        assert "did you mean accountId?" in sentences["platforms.0.acountId"]

    async def test_a_flood_of_problems_is_cut_off(self, stranger: Client) -> None:
        response = await stranger.send_post({f"field{number}": number for number in range(20_000)})
        assert response.status_code == 400
        assert len(response.json()["errors"]) == 100
        assert response.json()["param"] == "content"


class TestPlatformRules:
    async def test_the_contracts_example(self, api: Client, instagram: dict[str, str]) -> None:
        response = await api.send_post({"content": "no picture", "platforms": [instagram], "publishNow": True})
        assert response.status_code == 422
        assert response.json() == {
            "error": "Instagram requires media for all posts",
            "type": "invalid_request_error",
            "code": "invalid_field_value",
            "param": "mediaItems",
            "errors": [
                {
                    "error": "Instagram requires media for all posts",
                    "code": "invalid_field_value",
                    "param": "mediaItems",
                    **instagram,
                }
            ],
        }

    async def test_premium_decides_the_text_limit(
        self, api: Client, twitter: dict[str, str], plain: dict[str, str]
    ) -> None:
        body = {"content": "x" * 281, "scheduledFor": in_future()}
        assert (await api.send_post({**body, "platforms": [twitter]})).status_code == 201
        refused = await api.send_post({**body, "platforms": [plain]})
        assert (refused.status_code, refused.json()["param"]) == (422, "content")

    async def test_the_field_at_fault_is_the_targets_own(self, api: Client, plain: dict[str, str]) -> None:
        pictures = [{"type": "image", "url": f"https://example.com/{n}.jpg"} for n in range(5)]
        target = {**plain, "customContent": "x" * 281, "customMedia": pictures}
        response = await api.send_post({"content": "fine", "platforms": [target], "publishNow": True})
        assert response.status_code == 422
        assert [problem["param"] for problem in problems(response)] == [
            "platforms.0.customContent",
            "platforms.0.customMedia",
        ]

    async def test_account_and_rule_problems_are_listed_together(self, api: Client, instagram: dict[str, str]) -> None:
        response = await api.send_post(
            {
                "content": "no picture",
                "platforms": [instagram, TARGET, {**TARGET, "accountId": "x"}],
                "publishNow": True,
            }
        )
        assert response.status_code == 422
        assert [(problem["code"], problem["param"]) for problem in problems(response)] == [
            ("invalid_field_value", "mediaItems"),
            ("account_not_found", "platforms.1.accountId"),
            ("account_not_found", "platforms.2.accountId"),
        ]

    async def test_an_account_of_another_platform_is_not_found(self, api: Client, stack: Stack) -> None:
        target = {"platform": "twitter", "accountId": stack.accounts["instagram"].id}
        response = await api.send_post({"content": "x", "platforms": [target], "publishNow": True})
        assert (response.status_code, response.json()["code"]) == (422, "account_not_found")

    async def test_another_workspaces_account_is_not_found(self, stranger: Client, twitter: dict[str, str]) -> None:
        response = await stranger.send_post({"content": "x", "platforms": [twitter], "publishNow": True})
        assert (response.status_code, response.json()["code"]) == (422, "account_not_found")

    @pytest.mark.parametrize(
        ("settings", "code", "path"),
        [
            ({"replySetings": "following"}, "unknown_parameter", "replySetings"),
            ({"replySettings": "friends"}, "invalid_field_value", "replySettings"),
            ({"longVideo": "yes"}, "invalid_field_value", "longVideo"),
            ({"poll": {"options": ["a", "b"]}}, "missing_required_field", "poll.durationMinutes"),
            ({"poll": {"options": ["a", 2], "durationMinutes": 5}}, "invalid_field_value", "poll.options.1"),
        ],
    )
    async def test_settings_are_checked(
        self, api: Client, twitter: dict[str, str], settings: dict[str, Any], code: str, path: str
    ) -> None:
        body = {"content": "x", "platforms": [{**twitter, "platformSpecificData": settings}], "publishNow": True}
        response = await api.send_post(body)
        assert response.status_code == 422
        assert (response.json()["code"], response.json()["param"]) == (code, f"platforms.0.platformSpecificData.{path}")

    async def test_a_problem_of_two_targets_is_listed_for_each(
        self, api: Client, stack: Stack, instagram: dict[str, str]
    ) -> None:
        other = await stack.connect("instagram")
        both = [instagram, {"platform": "instagram", "accountId": other.id}]
        found = problems(await api.send_post({"content": "x", "platforms": both, "publishNow": True}))
        assert [problem["accountId"] for problem in found] == [instagram["accountId"], other.id]


@pytest.mark.parametrize(
    ("zone", "meant"),
    [
        ("Berlin", "Europe/Berlin"),
        ("europe/berlin", "Europe/Berlin"),
        ("Europe/Berln", "Europe/Berlin"),
        ("New York", "America/New_York"),
        ("America/Berlin", "Europe/Berlin"),
        ("Tokio", "Asia/Tokyo"),
    ],
)
async def test_a_zone_that_does_not_exist_is_guessed(stranger: Client, zone: str, meant: str) -> None:
    answer = await stranger.send_post({"content": "x", "scheduledFor": "2027-01-01T09:00", "timezone": zone})
    assert [each["error"].rpartition("; ")[2] for each in problems(answer) if each["param"] == "timezone"] == [
        f"did you mean {meant}?"
    ]


async def test_a_malformed_time_is_answered_with_wall_time_and_instant(stranger: Client) -> None:
    answer = await stranger.send_post({"content": "x", "scheduledFor": "2027-12-24T9:00", "timezone": "Europe/Berlin"})
    (problem,) = [each for each in problems(answer) if each["param"] == "scheduledFor"]
    assert "wall time in timezone such as 2026-02-01T14:00, or an instant such as" in problem["error"]
