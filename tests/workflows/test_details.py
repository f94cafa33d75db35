from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.plan import Plan, TargetPlan
from domain.post import PostStatus, TargetStatus
from workflows.details import as_code, details, name_of, summary

DUE = datetime(2030, 1, 1, 12, tzinfo=UTC)


def plan(**target: object) -> Plan:
    known = {"target_id": "tgt_1", "platform": "mastodon", "account_id": "mastodon_1", **target}
    return Plan(
        post_id="post_1",
        workspace_id="ws_1",
        workflow_id="ws_1/post_1",
        due_at=DUE,
        targets=[TargetPlan.model_validate(known)],
    )


def line(**target: object) -> str:
    """Return what the details say of the one target."""
    return details(plan(**target), PostStatus.PUBLISHING, "Publishing.").splitlines()[2]


def test_details_say_where_each_target_stands() -> None:
    assert line(username="ada") == "- mastodon `@ada`: **pending**"
    assert line() == "- mastodon `mastodon_1`: **pending**"
    assert line(username="ada", status=TargetStatus.FAILED, error_code="190") == "- mastodon `@ada`: **failed** (`190`)"
    published = {"status": TargetStatus.PUBLISHED, "platform_post_id": "1", "platform_post_url": "https://m.example/1"}
    assert line(username="ada", **published) == "- mastodon `@ada`: **published** as [`1`](<https://m.example/1>)"
    assert line(username="ada", **{**published, "platform_post_url": None}) == "- mastodon `@ada`: **published** as `1`"


def test_a_summary_names_networks_and_time() -> None:
    assert summary(plan()) == "mastodon, due 2030-01-01 12:00Z"


HOSTILE = [
    "![x](https://evil.example/pixel.png)",
    "[reset your password](https://evil.example)",
    "` ![x](https://evil.example/pixel.png) `",
    "``` [x](https://evil.example)",
    "x\n\n# Heading\n\n![x](https://evil.example/p.png)",
    "<img src=https://evil.example/p.png>",
    "www.evil.example https://evil.example",
    "\x1b[2J\u202eevil",
]


@pytest.mark.parametrize("words", HOSTILE)
def test_names_and_codes_from_networks_are_no_markup(words: str) -> None:
    for text in (
        line(username=words),
        line(account_id=words),
        line(status=TargetStatus.FAILED, error_code=words),
        line(status=TargetStatus.HELD, error_code=words),
        line(status=TargetStatus.UNCONFIRMED, error_code=words),
        line(status=TargetStatus.PUBLISHED, platform_post_id=words),
        name_of(plan(username=words).targets[0]),
    ):
        assert "evil" not in outside_code(text)
        assert "Heading" not in outside_code(text)
        assert text.isprintable()


def outside_code(text: str) -> str:
    """Return what of a line of markdown is not in code spans, by CommonMark's rule for them."""
    outside, rest = "", text
    while (start := rest.find("`")) >= 0:
        outside, rest = outside + rest[:start], rest[start:]
        fence = len(rest) - len(rest.lstrip("`"))
        closing = next((at for at, length in runs(rest) if at >= fence and length == fence), None)
        if closing is None:
            outside, rest = outside + rest[:fence], rest[fence:]
        else:
            rest = rest[closing + fence :]
    return outside + rest


def runs(text: str) -> list[tuple[int, int]]:
    """Return where each run of backticks begins, and its length."""
    found, at = [], 0
    while at < len(text):
        length = len(text) - at - len(text[at:].lstrip("`"))
        if length:
            found.append((at, length))
        at += length or 1
    return found


@given(st.text(alphabet=st.characters() | st.sampled_from("` \n[]()!")))
def test_code_holds_any_text(text: str) -> None:
    assert outside_code(f"before {as_code(text)} after") == "before  after"


@given(st.text(max_size=500))
def test_a_name_is_short_enough_for_a_summary(text: str) -> None:
    assert len(name_of(plan(username=text).targets[0]).encode()) <= 300


@pytest.mark.parametrize(
    "url",
    [
        "javascript:alert(1)",
        "data:text/html,x",
        "https://m.example/1> ![x](https://evil.example/p.png)",
        "https://m.example/1\n![x](https://evil.example/p.png)",
        "https://m.example/\\> x",
        "//evil.example",
    ],
)
def test_only_a_plain_web_address_becomes_a_link(url: str) -> None:
    text = line(status=TargetStatus.PUBLISHED, platform_post_id="1", platform_post_url=url)
    assert text == "- mastodon `mastodon_1`: **published** as `1`"


def test_an_address_with_escapes_stays_a_link() -> None:
    url = "https://m.example/@ada/1?a=b&c=%C3%A4#x"
    text = line(status=TargetStatus.PUBLISHED, platform_post_id="1", platform_post_url=url)
    assert text.endswith(f"[`1`](<{url}>)")
