"""Rows compared with the sandbox's platforms: what is public, how often, and what the rows know of it."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import update

from benchmarks.proof.platforms import PLATFORMS, VIDEO, api_name
from cli.stack.ports import free_port
from domain.post import PostStatus, TargetStatus
from reconcile.doctor.findings import Exit, FindingKind, FixedBy
from store.models import Account, Attempt, Post
from tests.reconcile.doctor.conftest import (
    TOKEN,
    agrees,
    diagnose,
    note_started,
    only,
    published,
    toot,
    until_agrees,
    write,
    write_target,
)
from tests.stack import Stack

pytestmark = pytest.mark.usefixtures("early_confirm")


@pytest.fixture
async def mastodon(own: Stack) -> Account:
    account = await own.connect("mastodon", accessToken=TOKEN)
    own.accounts["mastodon"] = account
    return account


async def test_public_posts_are_recognised_by_text_on_every_platform(own: Stack) -> None:
    posts: dict[str, Post] = {}

    async def publish(name: str) -> None:
        platform, traits = api_name(name), PLATFORMS[name]
        account = await own.connect(platform)
        # TikTok fetches photos from our own addresses only, and this stack has none.
        needed = VIDEO if platform == "tiktok" else traits.media
        media = [needed["url"]] if needed else []
        text = f"doctor: on {name}\n\nIn two lines & with *signs*"
        post = await own.publish(text, [account], media=media, settings=dict(traits.settings))
        await note_started(own, post)
        assert post.status == PostStatus.PUBLISHED, (name, post.targets[0].error)
        posts[name] = post

    await asyncio.gather(*(publish(name) for name in PLATFORMS if not PLATFORMS[name].webhook))
    await until_agrees(own)
    for post in posts.values():
        await write_target(own, post, status=TargetStatus.FAILED, platform_post_id=None)
        await write(own, post, status=PostStatus.FAILED)
    report = await diagnose(own)
    findings = {
        str(finding.subject.platform): finding.what
        for finding in report.findings
        if finding.kind is FindingKind.UNKNOWN_PUBLIC
    }
    assert sorted(findings) == sorted({api_name(name) for name in posts})
    for name, post in posts.items():
        assert f"shows it as {post.targets[0].platform_post_id}." in findings[api_name(name)]
    assert report.exit is Exit.NEEDS_A_PERSON
    assert not any("signs" in finding.what + finding.how for finding in report.findings)


async def test_a_duplicate_ends_with_the_deletion_of_one_copy(own: Stack, mastodon: Account) -> None:
    await published(own, "doctor: twice", "mastodon")
    assert await agrees(own)
    double = await toot(own, "POST", status="doctor: twice")
    finding = await only(own, FindingKind.DOUBLE)
    assert (finding.fixed_by, finding.subject.account_id) == (FixedBy.PERSON, mastodon.id)
    assert double in finding.what
    await toot(own, "DELETE", f"/{double}")
    assert await agrees(own)


async def test_posts_of_the_account_owner_are_ignored(own: Stack, mastodon: Account) -> None:
    await toot(own, "POST", status="doctor: by hand")
    await asyncio.sleep(0.01)
    post = await published(own, "doctor: by hand", "mastodon")
    long_before = datetime.now(UTC) + timedelta(minutes=10)
    async with own.database.transaction() as session:
        at = {"started_at": long_before, "finished_at": long_before}
        await session.execute(update(Attempt).where(Attempt.target_id == post.targets[0].id).values(**at))
    assert await agrees(own)
    await toot(own, "POST", status="doctor: other words")
    assert await agrees(own)


async def test_equal_posts_are_counted_as_two(own: Stack, mastodon: Account) -> None:
    await published(own, "doctor: said twice", "mastodon")
    await published(own, "doctor: said twice", "mastodon")
    assert await agrees(own)


async def test_a_post_deleted_on_the_platform_counts_as_published(own: Stack, mastodon: Account) -> None:
    post = await published(own, "doctor: deleted there", "mastodon")
    await toot(own, "DELETE", f"/{post.targets[0].platform_post_id}")
    assert await agrees(own)


async def test_a_publication_unknown_to_the_platform_needs_a_person(own: Stack, mastodon: Account) -> None:
    first = await published(own, "doctor: never had", "mastodon")
    await until_agrees(own)
    await write_target(own, first, platform_post_id="17")
    assert (await only(own, FindingKind.OTHER_ID)).fixed_by is FixedBy.SYSTEM
    await write(own, first, content="doctor: something else")
    assert (await only(own, FindingKind.NOT_PUBLIC)).fixed_by is FixedBy.PERSON
    second = await published(own, "doctor: had", "mastodon")
    await write_target(own, first, platform_post_id=second.targets[0].platform_post_id)
    report = await diagnose(own)
    assert [finding.kind for finding in report.findings] == [FindingKind.NOT_PUBLIC, FindingKind.NOT_PUBLIC]


async def test_an_unconfirmed_post_that_is_public_is_resolved_by_a_person(own: Stack) -> None:
    own.accounts["telegram"] = await own.connect("telegram")
    await own.fault("telegram", "accept_then_drop", "publish", accountId=own.accounts["telegram"].id)
    post = await published(own, "doctor: unconfirmed", "telegram")
    (target,) = post.targets
    assert (target.status, target.confirming) == (TargetStatus.UNCONFIRMED, False)
    finding = await only(own, FindingKind.UNKNOWN_PUBLIC)
    (public,) = await own.public("doctor: unconfirmed")
    assert "/resolve" in finding.how
    assert public["platformPostId"] in finding.how
    await own.resolve(post, public["platformPostId"], published=True)
    await until_agrees(own)


async def test_an_impending_resend_is_reported(own: Stack, mastodon: Account) -> None:
    post = await published(own, "doctor: once more", "mastodon")
    await write_target(own, post, status=TargetStatus.HELD, platform_post_id=None)
    await write(own, post, status=PostStatus.FAILED)
    finding = await only(own, FindingKind.UNKNOWN_PUBLIC)
    assert "Before it is sent again, the platform is asked for it" in finding.how
    assert "cancel its workflow" in finding.how


async def test_edits_are_followed_and_older_versions_reported(own: Stack) -> None:
    post = await published(own, "doctor: first version", "other")
    revision = await own.new_text(post, "doctor: second version")
    await own.workflows.edit(await own.plan(post), revision)
    async with asyncio.timeout(60):
        while not (await own.read(post.id)).targets[0].edit_history:  # noqa: ASYNC110 there is no event
            await asyncio.sleep(0.05)
    await until_agrees(own)
    await write_target(own, post, edited_content="doctor: a third version")
    assert (await only(own, FindingKind.OTHER_TEXT)).fixed_by is FixedBy.PERSON
    (before,) = post.targets
    await own.client.get_workflow_handle(post.workflow_id).terminate()
    await write_target(own, post, edited_content=None, platform_post_id=before.platform_post_id, edit_history=[])
    assert (await only(own, FindingKind.OLD_VERSION)).fixed_by is FixedBy.PERSON


async def test_the_posts_of_a_thread_are_no_doubles(own: Stack) -> None:
    items = {"threadItems": [{"content": "doctor: thread, second"}, {"content": "doctor: thread, first"}]}
    own.accounts["threads"] = await own.connect("threads")
    await published(own, "doctor: thread, first", "threads", settings=items)
    await until_agrees(own)


async def test_other_findings_are_reported_without_the_sandbox(own: Stack) -> None:
    post = await own.save("doctor: no sandbox", [own.accounts["plain"]], due_in=timedelta(hours=1))
    await note_started(own, post)
    own.sandbox_url = f"http://127.0.0.1:{free_port()}"
    report = await diagnose(own)
    assert [finding.kind for finding in report.findings] == [FindingKind.LOST]
    assert report.exit is Exit.COULD_NOT_CHECK
    assert report.away == [
        f"There is no sandbox at {own.sandbox_url} (ConnectError). So rows could not be compared with platforms."
    ]
