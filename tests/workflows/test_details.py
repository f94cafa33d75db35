from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.codes import TARGET_CODES, reason
from domain.plan import Plan, TargetPlan
from domain.post import ErrorCategory, PostStatus, TargetStatus
from workflows.details import account_name, as_code, details, summary
from workflows.search_attributes import Ending

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
    """Return the line of the details about the only target."""
    return details(plan(**target), PostStatus.PUBLISHING, "Publishing.").splitlines()[2]


def test_details_show_each_targets_state() -> None:
    assert line(username="ada") == "- mastodon `@ada`: **pending**"
    assert line() == "- mastodon `mastodon_1`: **pending**"
    failed = {"username": "ada", "status": TargetStatus.FAILED}
    assert line(**failed, error_code="190") == "- mastodon `@ada`: **failed** (`190`)"
    assert line(**failed, error_code="190", error_category=ErrorCategory.REJECTED) == (
        "- mastodon `@ada`: **failed**: the platform refuses the content or its settings (`190`)"
    )
    assert line(**failed, error_code="media_empty") == (
        "- mastodon `@ada`: **failed**: a file is empty (`media_empty`)"
    )
    waits = {"username": "ada", "status": TargetStatus.PUBLISHING, "resumes_at": DUE}
    assert line(**waits, error_code="http_503", error_category=ErrorCategory.PLATFORM) == (
        "- mastodon `@ada`: **refused for now**: the platform failed (`http_503`), tried again at 2030-01-01 12:00Z"
    )
    assert (
        line(**waits) == "- mastodon `@ada`: **publishing**, waits for its account's rate limit until 2030-01-01 12:00Z"
    )
    assert line(username="ada", status=TargetStatus.UNCONFIRMED, error_code="cancelled") == (
        "- mastodon `@ada`: **unconfirmed**: an operator cancelled it (`cancelled`), it may be public: "
        "a person must look at the account, then report it by `socialsyncer resolve`"
    )
    published = {"status": TargetStatus.PUBLISHED, "platform_post_id": "1", "platform_post_url": "https://m.example/1"}
    assert line(username="ada", **published) == "- mastodon `@ada`: **published** as [`1`](<https://m.example/1>)"
    assert line(username="ada", **{**published, "platform_post_url": None}) == "- mastodon `@ada`: **published** as `1`"


def test_summary_holds_only_unchangeable_facts() -> None:
    known = plan()
    assert summary(known) == "post_1 of `ws_1`"
    changed = known.model_copy(
        update={"workspace": "acme", "due_at": DUE + timedelta(hours=1), "tags": ["x"], "targets": []}
    )
    assert summary(changed) == summary(known.model_copy(update={"workspace": "acme"})) == "post_1 of `acme`"


@pytest.mark.parametrize("ending", [Ending.DELETED, Ending.DRAFT])
def test_details_of_a_removed_post_show_only_public_targets(ending: Ending) -> None:
    known = plan(username="ada")
    assert details(known, ending, "Over.").splitlines()[:3] == [f"**{ending}**: Over.", "", "- mastodon `@ada`"]
    public = plan(username="ada", status=TargetStatus.PUBLISHED, platform_post_id="1")
    assert details(public, ending, "Over.").splitlines()[2] == "- mastodon `@ada`: still **published** as `1`"


def test_every_code_has_a_description() -> None:
    assert {code for code in TARGET_CODES if not reason(code, None)} == set()
    assert {category for category in ErrorCategory if not reason("of the platform", category)} == set()
    assert reason(None, None) is None


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
def test_platform_names_and_codes_are_escaped(words: str) -> None:
    for text in (
        line(username=words),
        line(account_id=words),
        line(status=TargetStatus.FAILED, error_code=words),
        line(status=TargetStatus.HELD, error_code=words),
        line(status=TargetStatus.UNCONFIRMED, error_code=words),
        line(status=TargetStatus.PUBLISHED, platform_post_id=words),
        account_name(plan(username=words).targets[0]),
    ):
        assert "evil" not in outside_code(text)
        assert "Heading" not in outside_code(text)
        assert text.isprintable()


def outside_code(text: str) -> str:
    """Return the parts of a line of markdown outside code spans, by CommonMark's rule for them."""
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
    """Return the start and the length of each run of backticks."""
    indices, at = [], 0
    while at < len(text):
        length = len(text) - at - len(text[at:].lstrip("`"))
        if length:
            indices.append((at, length))
        at += length or 1
    return indices


@given(st.text(alphabet=st.characters() | st.sampled_from("` \n[]()!")))
def test_code_holds_any_text(text: str) -> None:
    assert outside_code(f"before {as_code(text)} after") == "before  after"


@given(st.text(max_size=500))
def test_a_name_is_short_enough_for_a_summary(text: str) -> None:
    assert len(account_name(plan(username=text).targets[0]).encode()) <= 300


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
