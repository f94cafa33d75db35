"""Properties that all platforms' settings share, and the values that each setting does not take."""

import json
from typing import Any

import pytest
from pydantic import ValidationError

from platforms.base import AccountFacts, Draft
from platforms.places import ANY, CODE
from platforms.registry import platforms
from tests.platforms.drafts import ARTICLE, BUTTON, POLL, QUESTION, REQUIRED
from tests.platforms.forms import EVENT

OF_X = {**POLL, "durationMinutes": 60}
SCHEDULE: dict[str, Any] = EVENT["schedule"]
BY_CALL = {**BUTTON, "type": "CALL"}

TAKEN: dict[str, dict[str, list[Any]]] = {
    "linkedin": {"article": [ARTICLE], "poll": [QUESTION]},
    "discord": {"poll": [QUESTION]},
    "googlebusiness": {"event": [{"title": "x" * 58, "schedule": SCHEDULE}], "callToAction": [{"type": "CALL"}]},
    "instagram": {"collaborators": [["a", "b", "c"]]},
    "reddit": {"subreddit": ["u_some-user", "u_" + "x" * 20]},
    "pinterest": {"title": ["x" * 100], "link": ["https://e.com/" + "x" * 2034]},
    "twitter": {"poll": [OF_X]},
}
"""Values at a limit, from which the ones below differ in one thing."""
REFUSED: dict[str, dict[str, list[Any]]] = {
    "bluesky": {
        "langs": [["en", "de", "fr", "it"], ["english"]],
        "labels": [["spam"]],
        "lang": ["en"],
        "quotePostId": [
            *["3kabcdefghi2k", "https://bsky.app/profile/a.example", "at://did:plc:1/app.bsky.feed.like/3k", "x.com"],
        ],
        "threadItems": [[{"content": "x"}] * 25],
    },
    "discord": {
        "username": ["x" * 81, "MyDiscord", ""],
        "threadName": ["x" * 101],
        "threadId": ["general"],
        "avatarUrl": ["ftp://example.com"],
        "allowedMentions": [["here"]],
        "poll": [
            *[{**QUESTION, "options": options} for options in ([], ["x"] * 11, ["x" * 56])],
            *[{**QUESTION, "question": "x" * 301}, {**QUESTION, "durationHours": 769}],
        ],
        "embeds": [
            *[[{"title": "x" * 257}], [{"color": 0x1000000}], [{"subtitle": "x"}], [{"title": "x"}] * 11],
            [{"fields": [{"name": "a", "value": "b"}] * 26}],
        ],
        "mentions": [True],
    },
    "facebook": {
        "contentType": ["post"],
        "first_comments": ["x"],
        "pageId": ["me"],
        "link": ["example.com"],
        "title": [""],
    },
    "googlebusiness": {
        "callToAction": [{"type": "LEARN_MORE"}, BY_CALL, {**BY_CALL, "type": "DANCE"}],
        "event": [
            *[{"title": "x" * 59, "schedule": SCHEDULE}, {"title": "", "schedule": SCHEDULE}, {"title": "x"}],
            {"title": "x", "schedule": {**SCHEDULE, "endDate": {"year": 2026, "month": 1, "day": 19}}},
            {"title": "x", "schedule": {**SCHEDULE, "startDate": {"year": 2026, "month": 2, "day": 30}}},
            {"title": "x", "schedule": {"startDate": SCHEDULE["startDate"]}},
        ],
        "topicType": ["ALERT"],
        "languageCode": ["German"],
        "locationId": ["Cafe"],
        "summary": ["x"],
    },
    "instagram": {
        "contentType": ["reel"],
        "collaborators": [["a", "b", "c", "d"], ["no spaces"]],
        "userTags": [[{"username": "a", "x": 1.1, "y": 0}], [{"x": 0, "y": 0}]],
        "trialParams": [{"graduationStrategy": "NEVER"}],
        "thumbOffset": [-1],
        "reelCover": ["cover.jpg"],
        "locationId": ["Berlin"],
        "shareTofeed": [True],
    },
    "linkedin": {
        "organizationUrn": ["5515715"],
        "article": [
            *[{**ARTICLE, "source": "example.com"}, {"source": "https://example.com"}],
            {**ARTICLE, "picture": "https://example.com/a.jpg"},
        ],
        "poll": [
            *[{**QUESTION, "options": options} for options in (["Tea"], ["1", "2", "3", "4", "5"], ["Tea", "x" * 31])],
            *[{**QUESTION, "question": "x" * 141}, {**QUESTION, "duration": "ONE_YEAR"}],
        ],
        "firstComment": ["", "x" * 1251],
        "documentTitle": ["x" * 401],
        "visibility": ["FRIENDS"],
        "unknown": [1],
    },
    "mastodon": {
        "visibility": ["secret"],
        "language": ["english!"],
        "spoilerText": [""],
        "poll": [{"options": ["one"]}, {"options": ["one", ""]}],
        "quoteApprovalPolicy": ["everyone"],
        "scheduledAt": ["2026-01-01T00:00:00Z"],
    },
    "pinterest": {
        "boardId": ["my board", None],
        "boardSectionId": ["x"],
        "title": ["x" * 101],
        "link": ["https://e.com/" + "x" * 2035, "ftp://e.com"],
        "coverImageKeyFrameTime": [-1],
        "board_color": ["red"],
    },
    "reddit": {
        "subreddit": [None, "a", "x" * 22, "with space"],
        "title": ["", "x" * 301],
        "url": ["example.com"],
        "flairId": ["News"],
        "flair": ["News"],
    },
    "telegram": {"parseMode": ["html"], "messageThreadId": [0], "silent": [True], "protectContent": ["maybe"]},
    "threads": {
        "topicTag": ["", "x" * 51, "a.b", "a&b"],
        "replyControl": ["nobody"],
        "quotePostId": ["abc"],
        "replyToId": ["abc"],
        "linkAttachment": ["example.com"],
        "poll": [{"options": ["one"]}, {"options": ["one", "x" * 26]}],
        "threadItems": [
            *[[{"content": "x", "mediaItems": [{"type": "image", "url": "file:///etc"}]}], [{"text": "x"}]],
        ],
        "topictag": ["x"],
    },
    "tiktok": {"privacyLevel": ["EVERYONE"], "disable_comment": [True], "photoCoverIndex": [-1], "description": [""]},
    "twitter": {
        "poll": [
            *[{**OF_X, "options": options} for options in (["Only"], ["1", "2", "3", "4", "5"], ["Yes", ""])],
            *[{**OF_X, "options": ["Yes", "x" * 26]}, {**OF_X, "durationMinutes": 4}],
            {**OF_X, "durationMinutes": 10_081},
        ],
        "replyToTweetId": ["https://x.com/i/status/1"],
        "quoteTweetId": ["12345678901234567890"],
        "replySettings": ["everyone"],
        "threadItems": [[{"text": "not its name"}], [{"content": "one of too many"}] * 25],
    },
    "youtube": {
        "title": ["t" * 101, "a<b", " "],
        "visibility": ["secret"],
        "tags": [["a,b"], [""]],
        "categoryId": ["music"],
        "privacy": ["public"],
    },
}
"""Values, by platform and setting, that are refused when a post is created; settings of unknown names among them."""


def read(platform: str, settings: dict[str, Any]) -> object:
    """Return the parsed settings of a platform, or their errors."""
    try:
        return platforms()[platform].settings.model_validate(settings)
    except ValidationError as error:
        return [(fault["loc"], fault["type"]) for fault in error.errors(include_url=False)]


@pytest.mark.parametrize("platform", platforms())
def test_null_is_a_setting_that_was_left_out(platform: str) -> None:
    """Generated clients write an unset value as null."""
    fields = platforms()[platform].settings.model_fields.items()
    nulls = {field.alias or name: None for name, field in fields if not field.is_required()}
    assert nulls
    assert read(platform, nulls) == read(platform, {})


@pytest.mark.parametrize(("platform", "setting"), [(name, setting) for name in REFUSED for setting in REFUSED[name]])
def test_a_setting_takes_no_other_values(platform: str, setting: str) -> None:
    required = REQUIRED.get(platform, {})
    for value in REFUSED[platform][setting]:
        errors = read(platform, {**required, setting: value})
        assert isinstance(errors, list), f"{value} was taken"
        assert {place[0] for place, _ in errors} == {setting}
    for value in TAKEN.get(platform, {}).get(setting, []):
        assert not isinstance(read(platform, {**required, setting: value}), list)


SAME: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("instagram", {"collaborators": ["@natgeo", "nasa"]}, {"collaborators": ["natgeo", "nasa"]}),
    *[("reddit", {"subreddit": name}, {"subreddit": "test"}) for name in ("r/test", "/r/test")],
    ("reddit", {"subreddit": "/r/u_Some_User"}, {"subreddit": "u_Some_User"}),
    (
        "tiktok",
        {"content_preview_confirmed": True, "allow_comment": True},
        {"contentPreviewConfirmed": True, "allowComment": True},
    ),
    ("twitter", {"poll": {"options": ["Yes", "No"], "duration_minutes": 60}}, {"poll": OF_X}),
]
"""Two ways to write the same settings; the second one is the documented way."""


@pytest.mark.parametrize(("platform", "written", "documented"), SAME)
def test_settings_may_be_written_in_several_ways(
    platform: str, written: dict[str, Any], documented: dict[str, Any]
) -> None:
    settings = platforms()[platform].settings.model_validate(written)
    assert settings == platforms()[platform].settings.model_validate(documented)
    assert settings.model_dump(by_alias=True, exclude_unset=True) == documented


@pytest.mark.parametrize("platform", platforms())
def test_every_setting_is_described_and_simple_ones_have_an_example(platform: str) -> None:
    schema = platforms()[platform].settings.model_json_schema()
    for model in (schema, *schema.get("$defs", {}).values()):
        for name, setting in model.get("properties", {}).items():
            assert setting.get("description"), name
    for name, setting in schema["properties"].items():
        assert setting.get("examples") or "$ref" in json.dumps(setting), name


OTHERS = [
    ("googlebusiness", "locationId", "locations/222", "222"),
    ("linkedin", "organizationUrn", "urn:li:organization:222", "urn:li:organization:222"),
]


def broken(name: str, settings: dict[str, Any], account: AccountFacts) -> list[tuple[str, tuple[str | int, ...]]]:
    platform = platforms()[name]
    draft = Draft("Hi", (), platform.settings.model_validate(settings))
    return [(violation.code, violation.path) for violation in platform.violations(draft, account)]


@pytest.mark.parametrize(("platform", "name", "written", "entry"), OTHERS)
def test_a_place_that_is_not_allowed_is_refused(platform: str, name: str, written: str, entry: str) -> None:
    user_id = "organization-111" if platform == "linkedin" else "111"
    account = AccountFacts("xy_111", user_id, "one")
    assert broken(platform, {name: written}, account) == [(CODE, (name,))]
    assert broken(platform, {name: written.replace("222", "111")}, account) == [], "its own"
    assert broken(platform, {}, account) == []
    for allowed in ({name: [entry]}, {name: ["1", entry]}, {name: [ANY]}):
        assert broken(platform, {name: written}, AccountFacts("xy_111", user_id, "one", allowed=allowed)) == []
    for others in ({name: ["1"]}, {"otherId": [entry]}):
        assert broken(platform, {name: written}, AccountFacts("xy_111", user_id, "one", allowed=others)) != []


def test_a_member_does_not_own_the_page_of_the_same_number() -> None:
    settings, member = {"organizationUrn": "urn:li:organization:111"}, AccountFacts("li_111", "111", "one")
    assert broken("linkedin", settings, member) == [(CODE, ("organizationUrn",))]


def test_a_draft_without_an_account_breaks_no_rule_of_places() -> None:
    assert broken("googlebusiness", {"locationId": "222"}, AccountFacts("gb_1", "", "")) == []


def test_the_error_says_how_to_allow_the_place() -> None:
    platform = platforms()["linkedin"]
    settings = platform.settings.model_validate({"organizationUrn": "urn:li:organization:222"})
    [violation] = platform.violations(Draft("Hi", (), settings), AccountFacts("li_1", "1", "one"))
    assert "socialsyncer accounts allow li_1 organizationUrn=urn:li:organization:222" in violation.error


@pytest.mark.parametrize("name", platforms())
def test_every_place_is_a_setting(name: str) -> None:
    platform = platforms()[name]
    for place in platform.places:
        field = platform.settings.model_fields[place.field]
        assert field.alias == place.name
