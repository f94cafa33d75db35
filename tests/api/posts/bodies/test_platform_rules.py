"""The field that an error of a platform's rules names."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest

from api.posts.bodies.platform_rules import collect_platform_problems
from domain.content import PostContent, TargetContent
from domain.errors import Problem
from domain.loop_share import LoopShare
from platforms.base import AnyPlatform
from platforms.registry import platforms
from store.models import ConnectedAccount


@pytest.fixture(autouse=True)
def with_root_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make X stand for the two platforms with root-level settings, whichever of them exist."""
    known: dict[str, AnyPlatform] = {**platforms(), "tiktok": platforms()["twitter"]}
    known.pop("facebook", None)
    monkeypatch.setattr("api.posts.bodies.platform_rules.platforms", lambda: known)


def account(account_id: str, platform: str, *, premium: bool = False) -> ConnectedAccount:
    return ConnectedAccount(
        workspace_id="ws_1",
        id=account_id,
        platform=platform,
        user_id="1",
        username="u",
        premium=premium,
    )


def platform_problems(content: PostContent, accounts: Mapping[str, ConnectedAccount]) -> list[Problem]:
    return asyncio.run(collect_platform_problems(content, accounts, LoopShare(heavy=False)))


def check(content: PostContent) -> list[tuple[str, str | None]]:
    accounts = {target.account_id: account(target.account_id, target.platform) for target in content.targets}
    return [(problem.code, problem.param) for problem in platform_problems(content, accounts)]


def target(platform: str = "tiktok", **settings: Any) -> TargetContent:
    return TargetContent(platform=platform, account_id=f"{platform}_1", settings=settings)


def test_a_wrong_root_setting_is_named_at_the_root() -> None:
    content = PostContent(content="x", targets=[target()], tiktok_settings={"replySettings": "friends", "zebra": 1})
    assert check(content) == [
        ("invalid_field_value", "tiktokSettings.replySettings"),
        ("unknown_parameter", "tiktokSettings.zebra"),
    ]


def test_overridden_root_settings_are_not_reported() -> None:
    root = {"replySettings": "friends"}
    sound = PostContent(content="x", targets=[target(replySettings="following")], tiktok_settings=root)
    wrong = PostContent(content="x", targets=[target(replySettings="nobody")], tiktok_settings=root)
    assert check(sound) == []
    assert check(wrong) == [("invalid_field_value", "platforms.0.platformSpecificData.replySettings")]


def test_root_settings_reach_no_other_platform() -> None:
    assert check(PostContent(content="x", targets=[target("twitter")], facebook_settings={"zebra": 1})) == []


def test_idle_root_settings_are_checked_for_spelling_only() -> None:
    assert check(PostContent(content="x", targets=[target("twitter")], tiktok_settings={"poll": {"zebra": 1}})) == [
        ("unknown_parameter", "tiktokSettings.poll.zebra")
    ]


def test_settings_that_cannot_be_read_do_not_hide_a_text_that_is_too_long() -> None:
    content = PostContent(content="x" * 300, targets=[target("twitter", zebra=1)])
    assert check(content) == [
        ("invalid_field_value", "content"),
        ("unknown_parameter", "platforms.0.platformSpecificData.zebra"),
    ]


def test_settings_that_do_not_go_together_are_named() -> None:
    poll = {"options": ["a", "b"], "durationMinutes": 5}
    content = PostContent(content="x", targets=[target("twitter", poll=poll, quoteTweetId="1")])
    ((_, param),) = check(content)
    assert param is not None
    assert param.startswith("platforms.0.platformSpecificData.")


def test_unknown_accounts_are_checked_by_the_loosest_rules() -> None:
    content = PostContent(content="x" * 300, targets=[target("twitter")])
    assert [problem.code for problem in platform_problems(content, {})] == ["account_not_found"]
    endless = PostContent(content="x" * 30_000, targets=[target("twitter")])
    assert [problem.param for problem in platform_problems(endless, {})] == ["content", "platforms.0.accountId"]
