"""A live check of every platform against the sandbox: published, found, deleted, and reported without a secret."""

import asyncio
import json
from datetime import timedelta
from typing import Any

import pytest

from cli.live_check.command import Check, file_named
from cli.live_check.files import CheckFiles, in_the_sandbox
from cli.live_check.report import LiveReport
from domain.schedule import rfc3339
from platforms.live import load_live_check
from platforms.registry import platforms
from runtime.parts import WorkerParts
from tests.stack import Stack

SETTINGS = {"pinterest": {"boardId": "549755885175"}}
TOKEN = "a-secret-token-that-no-report-shows"


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove all waits: the sandbox processes, shows and deletes immediately."""
    monkeypatch.setattr("platforms.linkedin.media.GRACE", timedelta())
    for module in ("facebook.videos", "googlebusiness.platform", "tiktok.media"):
        monkeypatch.setattr(f"platforms.{module}.CHECK_PAUSES", (0, 0.1, 0.1, 0.1))
    monkeypatch.setattr("cli.live_check.trial.CHECK_PAUSES", (0.2,) * 100)
    for name, seconds in (("RETRY_FOR", 20), ("CONFIRM_FOR", 2), ("GONE_WITHIN", 0.5)):
        monkeypatch.setattr(f"cli.live_check.trial.{name}", timedelta(seconds=seconds))
    for platform in platforms().values():
        monkeypatch.setattr(type(platform), "read_lag", timedelta(seconds=1))


async def checked(
    stack: Stack, parts: WorkerParts, platform: str, *, credentials: dict[str, Any] | None = None, **more: Any
) -> LiveReport:
    fields = {"accessToken": f"{TOKEN}-{platform}", "premium": True, **(credentials or {})}
    account = await stack.connect(platform, **fields)
    files = CheckFiles(file_named, in_the_sandbox)
    check = Check(
        platforms()[platform],
        parts.accounts.connection(account),
        files,
        **{"settings": SETTINGS.get(platform, {}), **more},
    )
    async with asyncio.timeout(100):
        return await check.run()


@pytest.mark.parametrize("platform", list(platforms()))
async def test_sandbox_meets_all_assumptions(stack: Stack, parts: WorkerParts, platform: str) -> None:
    report = await checked(stack, parts, platform)
    text = "\n".join(report.lines())
    assert report.otherwise == [], text
    check, by_name = load_live_check(platforms()[platform]), dict[str, set[bool | None]]()
    for verdict in report.verdicts:
        by_name.setdefault(verdict.assumption, set()).add(verdict.holds)
    assert by_name["published"] == {True}, text
    assert by_name.get("removed", {True}) == {True}, text
    posts = (await stack.control("GET", f"posts?platform={platform}&since={rfc3339(stack.began_at)}"))["posts"]
    assert any(not post["deleted"] for post in posts) is (check.remove is None), text
    assert ("DELETE BY HAND" in text) is (check.remove is None)
    sent = json.dumps(report.as_json())
    assert TOKEN not in sent
    assert "A test of SocialSyncer" not in sent


async def test_a_linkedin_page_shows_its_posts(stack: Stack, parts: WorkerParts) -> None:
    page = {"organizationUrn": "urn:li:organization:5515715"}
    report = await checked(stack, parts, "linkedin", credentials=page, only=["text"])
    held = {verdict.assumption: verdict.holds for verdict in report.verdicts}
    assert (held["found"], held["escapes"]) == (True, True), "\n".join(report.lines())


@pytest.mark.parametrize("refuses", [True, False])
async def test_wrong_assumption_of_a_platform_is_reported(stack: Stack, parts: WorkerParts, *, refuses: bool) -> None:
    other = await stack.publish(f"another's, {refuses}", [await stack.connect("threads")])
    if not refuses:
        error = {"message": "Invalid parameter", "type": "OAuthException", "code": 100, "error_subcode": 4279001}
        await stack.fault("threads", "reject", "prepare", status=400, body={"error": error})
    own_settings = {"replyToId": other.targets[0].platform_post_id}
    report = await checked(stack, parts, "threads", settings=own_settings, only=["reply to another's post"])
    assert {verdict.holds for verdict in report.verdicts if verdict.assumption == "reply"} == {refuses}
    assert [verdict.assumption for verdict in report.otherwise] == ([] if refuses else ["reply"])


async def test_refusals_are_reported_without_platform_texts(stack: Stack, parts: WorkerParts) -> None:
    body = {"ok": False, "error_code": 400, "description": "Bad Request: can't parse entities: secret words"}
    await stack.fault("telegram", "reject", "publish", status=400, body=body)
    report = await checked(stack, parts, "telegram", only=["text"])
    assert [(verdict.assumption, verdict.holds) for verdict in report.otherwise] == [("published", False)]
    assert "secret words" in "\n".join(report.lines())
    written = report.as_json()
    assert "secret words" not in json.dumps(written)
    (sample,) = written["samples"]
    assert sample["steps"] == [
        {"step": "publish", "outcome": "rejected", "tries": 1, "seconds": sample["steps"][0]["seconds"]}
        | {"code": "400", "status": 400}
    ]
    (exchange,) = sample["exchanges"]
    assert exchange["request"] == "POST …/telegram/…/sendMessage"
    assert exchange["answer"] == {"ok": "boolean", "error_code": "integer", "description": "string"}


async def test_wrongly_absent_post_is_reported(
    stack: Stack, parts: WorkerParts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cli.live_check.trial.CONFIRM_FOR", timedelta(seconds=20))
    nothing = {"data": [], "meta": {"result_count": 0}}
    await stack.fault("twitter", "reject", "confirm", status=200, body=nothing, times=12)
    report = await checked(stack, parts, "twitter", only=["text"])
    held = {verdict.assumption: verdict.holds for verdict in report.verdicts}
    assert (held["published"], held["found"], held["absence"]) == (True, True, False)


@pytest.mark.parametrize(
    ("platform", "condition", "sample", "assumption"),
    [
        ("linkedin", "commentary_rewritten", "text", "escapes"),
        ("tiktok", "count_lags", "video", "uploaded_bytes"),
    ],
)
async def test_deviations_of_a_platform_are_reported(
    stack: Stack, parts: WorkerParts, platform: str, condition: str, sample: str, assumption: str
) -> None:
    page = {"organizationUrn": "urn:li:organization:5515715"} if platform == "linkedin" else {}
    await stack.switch_on(platform, condition)
    report = await checked(stack, parts, platform, credentials=page, only=[sample])
    assert assumption in {verdict.assumption for verdict in report.otherwise}, "\n".join(report.lines())


async def test_a_post_that_may_be_public_is_left_to_a_person(stack: Stack, parts: WorkerParts) -> None:
    await stack.fault("telegram", "accept_then_drop", "publish")
    report = await checked(stack, parts, "telegram", only=["text"])
    assert "CHECK BY HAND" in "\n".join(report.lines())


async def test_samples_that_need_settings_are_skipped(stack: Stack, parts: WorkerParts) -> None:
    report = await checked(stack, parts, "pinterest", settings={})
    assert {sample["skipped"] for sample in report.as_json()["samples"]} == {"needs --set boardId=…"}
    assert report.otherwise == []


async def test_platform_that_fetches_media_needs_a_public_address(stack: Stack, parts: WorkerParts) -> None:
    account = await stack.connect("instagram")
    check = Check(
        platforms()["instagram"], parts.accounts.connection(account), CheckFiles(file_named, None), settings={}
    )
    assert all(
        "SOCIALSYNCER_PUBLIC_URL" in str(sample["skipped"]) for sample in (await check.run()).as_json()["samples"]
    )
