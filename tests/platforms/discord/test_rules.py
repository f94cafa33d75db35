"""Discord's limits from both sides, and the differences between bots and webhooks."""

from typing import Any

import pytest

from platforms.base import AccountFacts
from platforms.discord import PLATFORM
from tests.platforms.drafts import draft

BOT = AccountFacts("dc_1", "1", "general")
HOOK = AccountFacts("dc_webhook-1", "webhook-1", "News")
NOBODY = AccountFacts("dc_9", "", "")

POLL = {"question": "Tea or coffee?", "options": ["Tea", "Coffee"]}


def broken(
    text: str, media: str = "", *, account: AccountFacts = BOT, alt: str | None = None, **settings: Any
) -> list[tuple[str, str]]:
    found = PLATFORM.check(draft("discord", text, media, alt_text=alt, **settings), account)
    return [(each.part, each.error) for each in found]


def test_texts_are_measured_in_utf16() -> None:
    assert broken("x" * 2000) == broken("😀" * 1000) == []
    assert broken("x" * 2001) == [("content", "Discord allows 2,000 characters; this has 2,001")]
    assert broken("😀" * 1001) == [("content", "Discord allows 2,000 characters; this has 2,002")]


def test_something_must_be_said_or_shown() -> None:
    assert broken(" ") == [("content", "Discord needs text, media, an embed or a poll")]
    assert broken("", "i") == broken("", embeds=[{"title": "x"}]) == broken("", poll=POLL) == []


def test_a_poll_stands_without_media() -> None:
    assert broken("Hi", poll=POLL) == []
    assert broken("Hi", "i", poll=POLL) == [
        ("platformSpecificData", "Discord does not take a poll together with media")
    ]


def test_embeds_are_added_up() -> None:
    embed = {"title": "x" * 100, "description": "x" * 2900}
    assert broken("", embeds=[embed, embed]) == []
    more = {"fields": [{"name": "a", "value": "b"}]}
    assert broken("", embeds=[embed, embed, more]) == [
        ("platformSpecificData", "Discord allows 6,000 characters in all embeds; these have 6,002")
    ]


@pytest.mark.parametrize(
    ("name", "value"), [("username", "Ada"), ("avatarUrl", "https://cdn.example.com/a.png"), ("threadName", "News")]
)
def test_settings_of_webhooks_are_refused_to_bots(name: str, value: str) -> None:
    setting: dict[str, Any] = {name: value}
    said = f"Discord takes {name} only from webhooks; this account is a bot"
    assert broken("Hi", account=BOT, **setting) == [("platformSpecificData", said)]
    assert broken("Hi", account=HOOK, **setting) == broken("Hi", account=NOBODY, **setting) == []


def test_settings_of_bots_are_refused_to_webhooks() -> None:
    assert broken("Hi", account=BOT, channelId="5") == []
    assert [part for part, _ in broken("Hi", account=HOOK, channelId="5")] == ["platformSpecificData"]


def test_a_thread_is_begun_or_gone_on_in() -> None:
    assert broken("Hi", account=HOOK, threadId="5") == broken("Hi", account=HOOK, threadName="x") == []
    assert [part for part, _ in broken("Hi", account=HOOK, threadId="5", threadName="x")] == ["platformSpecificData"]
