"""Bodies that the API refuses to make a post of."""

from typing import Any

import pytest

from tests.api.conftest import Client, problems
from tests.api.posts.targets import TARGET, in_future

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
            # The misspelled name explains why the right field is missing.
            (
                {**NOW, "platforms": [{"platform": "twitter", "acountId": "a"}]},
                ["platforms.0.acountId", "platforms.0.accountId"],
            ),
            ({"contnet": "x", "platforms": [TARGET], "publishNow": True}, ["contnet", "content"]),
            # A value that cannot be parsed is not reported as missing or as a duplicate.
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

    async def test_suggests_the_correct_spelling(self, stranger: Client) -> None:
        body = {"contnt": "x", "platforms": [{"platform": "twiter", "acountId": "a"}], "publishNow": True}
        sentences = {problem["param"]: problem["error"] for problem in problems(await stranger.send_post(body))}
        assert "did you mean content?" in sentences["contnt"]
        assert "did you mean twitter?" in sentences["platforms.0.platform"]
        assert "did you mean accountId?" in sentences["platforms.0.acountId"]

    @pytest.mark.parametrize(("label", "name"), [("x", "twitter"), ("Google Business Profile", "googlebusiness")])
    async def test_suggests_the_name_of_a_platform_that_goes_by_its_label(
        self, stranger: Client, label: str, name: str
    ) -> None:
        body = {"content": "x", "platforms": [{"platform": label, "accountId": "a"}], "publishNow": True}
        (problem,) = problems(await stranger.send_post(body))
        assert f"did you mean {name}?" in problem["error"]

    async def test_a_flood_of_problems_is_cut_off(self, stranger: Client) -> None:
        response = await stranger.send_post({f"field{number}": number for number in range(20_000)})
        assert response.status_code == 400
        assert len(response.json()["errors"]) == 100
        assert response.json()["param"] == "content"


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
    assert [problem["error"].rpartition("; ")[2] for problem in problems(answer) if problem["param"] == "timezone"] == [
        f"did you mean {meant}?"
    ]


async def test_a_day_that_its_month_does_not_have_is_named(stranger: Client) -> None:
    answer = await stranger.send_post({"content": "x", "scheduledFor": "2027-02-30T09:00"})
    (problem,) = [entry for entry in problems(answer) if entry["param"] == "scheduledFor"]
    assert problem["error"] == "scheduledFor names a time that does not exist: February 2027 has no day 30"
    listed = await stranger.get("/v1/posts", params={"scheduledFrom": "2027-02-30"})
    assert listed.json()["error"] == "scheduledFrom names a time that does not exist: February 2027 has no day 30"


async def test_a_malformed_time_is_answered_with_wall_time_and_instant(stranger: Client) -> None:
    answer = await stranger.send_post({"content": "x", "scheduledFor": "2027-12-24T9:00", "timezone": "Europe/Berlin"})
    (problem,) = [entry for entry in problems(answer) if entry["param"] == "scheduledFor"]
    assert "wall time such as 2030-02-01T14:00, or an instant such as" in problem["error"]
