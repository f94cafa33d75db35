"""Posts that wait for another post: they are drafts with a reason, and get their time once, when it is public."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import update

from domain.campaigns import CampaignStatus
from domain.post import PostStatus
from domain.schedule import parse_date_time
from reconcile.chains import follow, follow_posts
from store.models import Campaign, Post, Restore
from tests.api.campaigns.conftest import save_campaign
from tests.api.conftest import Client, create, patch
from tests.stack import Stack


def body(stack: Stack, text: str, **fields: Any) -> dict[str, Any]:
    account = stack.accounts["plain"]
    return {"content": text, "platforms": [{"platform": account.platform, "accountId": account.id}], **fields}


async def read(api: Client, post: Any) -> Any:
    return (await api.get(f"/v1/posts/{post['id']}")).json()


async def published(api: Client, stack: Stack, text: str) -> Any:
    post = await create(api, body(stack, text, publishNow=True))
    assert post["status"] == "published"
    return post


async def scheduled(api: Client, stack: Stack, text: str) -> Any:
    return await create(api, body(stack, text, scheduledFor="2030-12-02T09:00:00Z"))


async def failed(api: Client, stack: Stack, text: str) -> Any:
    await stack.fault("twitter", "reject", "publish", status=403)
    post = await create(api, body(stack, text, publishNow=True))
    assert post["status"] == "failed"
    return post


async def settle(stack: Stack, post: Any, status: PostStatus, published_at: datetime | None = None) -> None:
    """Write the outcome of a post, as its targets would have it."""
    async with stack.database.transaction() as session:
        values = {"status": status.value, "published_at": published_at}
        await session.execute(update(Post).where(Post.id == post["id"]).values(**values))


async def test_a_waiting_post_is_a_draft_that_says_what_it_waits_for(api: Client, stack: Stack) -> None:
    first = await scheduled(api, stack, "the first")
    post = await create(api, body(stack, "the second", after={"postId": first["id"], "delay": "PT2H"}))
    assert (post["status"], post["isDraft"], post["scheduledFor"]) == ("draft", True, None)
    assert post["waitsFor"] == "post"
    assert post["after"] == {"postId": first["id"], "delay": "PT2H", "onFailure": "skip"}
    assert await read(api, post) == post
    listed = (await api.get("/v1/posts", params={"status": "draft", "limit": 5})).json()["posts"]
    assert post in listed


async def test_a_delay_of_seconds_is_refused_with_the_least_one(api: Client, stack: Stack) -> None:
    first = await scheduled(api, stack, "the first")
    for delay in ("PT5S", "PT0M", "-PT5M", "P366D"):
        refused = await create(api, body(stack, "soon", after={"postId": first["id"], "delay": delay}), 400)
        assert refused["param"] == "after.delay"
        assert refused["error"].endswith("weeks, days, hours and minutes, from PT1M to P365D"), delay


async def test_it_is_published_once_the_first_is_public(api: Client, stack: Stack) -> None:
    first = await published(api, stack, "told first")
    post = await create(api, body(stack, "told second", after={"postId": first["id"]}))
    await follow_posts(stack.worker_database, stack.workflows)
    async with asyncio.timeout(60):
        while (shown := await read(api, post))["status"] != "published":  # noqa: ASYNC110 no event
            await asyncio.sleep(0.1)
    assert shown["scheduledFor"] == first["publishedAt"]
    assert {"after", "waitsFor"}.isdisjoint(shown)
    history = (await api.get(f"/v1/posts/{post['id']}/history")).json()["events"]
    assert any(f"The post {first['id']} was published, so this one is scheduled" in line["summary"] for line in history)
    assert len(await stack.public("told second")) == 1


async def test_the_delay_counts_from_the_publication(api: Client, stack: Stack) -> None:
    first = await published(api, stack, "with a delay")
    post = await create(api, body(stack, "two hours later", after={"postId": first["id"], "delay": "PT2H"}))
    await follow_posts(stack.worker_database, stack.workflows)
    shown = await read(api, post)
    assert shown["status"] == "scheduled"
    due = parse_date_time(first["publishedAt"]) + timedelta(hours=2)
    assert abs(parse_date_time(shown["scheduledFor"]) - due) < timedelta(seconds=1)
    row = await stack.read(post["id"])
    assert (row.delivered_version, row.due_at) == (row.version, row.scheduled_for)


async def test_it_waits_while_the_first_is_not_settled(api: Client, stack: Stack) -> None:
    first = await scheduled(api, stack, "not yet")
    post = await create(api, body(stack, "after not yet", after={"postId": first["id"]}))
    for status in (PostStatus.SCHEDULED, PostStatus.PUBLISHING, PostStatus.DRAFT, PostStatus.PARTIAL):
        await settle(stack, first, status)
        await follow_posts(stack.worker_database, stack.workflows)
        assert await read(api, post) == post, status
    await settle(stack, first, PostStatus.PARTIAL, datetime.now(UTC))
    await follow_posts(stack.worker_database, stack.workflows)
    assert (await read(api, post))["status"] != "draft", "public somewhere is published"


@pytest.mark.parametrize("on_failure", ["skip", "wait"])
async def test_a_failure_of_the_first(api: Client, stack: Stack, on_failure: str) -> None:
    first = await scheduled(api, stack, f"fails for {on_failure}")
    after = {"postId": first["id"], "onFailure": on_failure}
    post = await create(api, body(stack, f"after a failure {on_failure}", after=after))
    await settle(stack, first, PostStatus.FAILED)
    await follow_posts(stack.worker_database, stack.workflows)
    shown = await read(api, post)
    if on_failure == "wait":
        assert shown == post
        await settle(stack, first, PostStatus.PUBLISHED, datetime.now(UTC) + timedelta(hours=1))
        await follow_posts(stack.worker_database, stack.workflows)
        assert (await read(api, post))["status"] == "scheduled"
        return
    assert (shown["status"], shown["skipReason"]) == ("draft", "previous_failed")
    assert {"after", "waitsFor"}.isdisjoint(shown)
    again = await scheduled(api, stack, "another first")
    waiting = await patch(api, post, after={"postId": again["id"]})
    assert "skipReason" not in waiting


@pytest.mark.parametrize("on_failure", ["skip", "wait"])
async def test_a_deleted_first_leaves_a_draft(api: Client, stack: Stack, on_failure: str) -> None:
    first = await scheduled(api, stack, f"is deleted for {on_failure}")
    after = {"postId": first["id"], "onFailure": on_failure}
    post = await create(api, body(stack, f"after a deletion {on_failure}", after=after))
    assert (await api.delete(f"/v1/posts/{first['id']}")).status_code == 200
    await follow_posts(stack.worker_database, stack.workflows)
    shown = await read(api, post)
    assert (shown["status"], shown["skipReason"]) == ("draft", "previous_deleted")
    history = (await api.get(f"/v1/posts/{post['id']}/history")).json()["events"]
    assert "will not be published" in history[-1]["summary"]


async def test_two_workers_follow_a_post_once(api: Client, stack: Stack) -> None:
    first = await published(api, stack, "followed by many")
    posts = [
        await create(api, body(stack, f"follows once {number}", after={"postId": first["id"], "delay": "PT1H"}))
        for number in range(4)
    ]
    await asyncio.gather(
        *(follow_posts(stack.worker_database, stack.workflows) for _ in range(4)),
        *(follow(stack.worker_database, stack.workflows, post["id"]) for post in posts * 4),
    )
    await follow_posts(stack.worker_database, stack.workflows)
    for post in posts:
        row = await stack.read(post["id"])
        assert (row.status, row.version, row.delivered_version) == ("scheduled", 2, 2)


async def test_a_worker_that_dies_after_the_commit_loses_nothing(
    api: Client, stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = await published(api, stack, "before the worker dies")
    post = await create(api, body(stack, "the worker died", after={"postId": first["id"], "delay": "PT1H"}))

    async def die(*_: object) -> None:
        raise asyncio.CancelledError

    with monkeypatch.context() as patched:
        patched.setattr("reconcile.chains.deliver_or_move", die)
        with pytest.raises(asyncio.CancelledError):
            await follow(stack.worker_database, stack.workflows, post["id"])
    row = await stack.read(post["id"])
    assert (row.status, row.version, row.delivered_version) == ("scheduled", 2, 0), "the sweep delivers it"
    assert not await follow(stack.worker_database, stack.workflows, post["id"])
    assert (await stack.read(post["id"])).version == 2


async def test_a_post_that_is_being_changed_is_followed_in_the_next_round(api: Client, stack: Stack) -> None:
    first = await published(api, stack, "under a lock")
    post = await create(api, body(stack, "is locked", after={"postId": first["id"], "delay": "PT1H"}))
    async with stack.database.transaction() as session:
        await session.get(Post, post["id"], with_for_update=True)
        assert not await follow(stack.worker_database, stack.workflows, post["id"])
    assert await follow(stack.worker_database, stack.workflows, post["id"])


async def test_patch_sets_changes_and_clears_it(api: Client, stack: Stack) -> None:
    first, other = await scheduled(api, stack, "one first"), await scheduled(api, stack, "other first")
    draft = await create(api, {"content": "a draft"})
    refused = await patch(api, draft, 400, after={"postId": first["id"]})
    assert refused["param"] == "platforms", "it will be published, so it must be complete"
    platforms = body(stack, "")["platforms"]
    waiting = await patch(api, draft, after={"postId": first["id"], "delay": "P1D"}, platforms=platforms)
    assert waiting["after"]["postId"] == first["id"]
    changed = await patch(api, draft, content="another text")
    assert changed["after"] == waiting["after"], "other fields leave it as it is"
    assert (await patch(api, draft, **changed))["after"] == waiting["after"], "an answer can be sent back"
    moved = await patch(api, draft, after={"postId": other["id"], "onFailure": "wait"})
    assert moved["after"] == {"postId": other["id"], "onFailure": "wait"}
    cleared = await patch(api, draft, after=None)
    assert {"after", "waitsFor"}.isdisjoint(cleared)
    assert cleared["status"] == "draft"


async def test_a_scheduled_post_begins_to_wait(api: Client, stack: Stack) -> None:
    first, post = await scheduled(api, stack, "is waited for"), await scheduled(api, stack, "waits from now on")
    waiting = await patch(api, post, after={"postId": first["id"]})
    assert (waiting["status"], waiting["scheduledFor"], waiting["waitsFor"]) == ("draft", None, "post")


@pytest.mark.parametrize("time", [{"scheduledFor": "2030-12-02T09:00:00Z"}, {"publishNow": True}])
async def test_a_time_ends_the_waiting(api: Client, stack: Stack, time: dict[str, Any]) -> None:
    first = await scheduled(api, stack, f"for {time}")
    post = await create(api, body(stack, f"gets {time}", after={"postId": first["id"]}))
    changed = await patch(api, post, **time)
    assert changed["status"] in {"scheduled", "published"}
    assert {"after", "waitsFor"}.isdisjoint(changed)


@pytest.mark.parametrize(
    ("beside", "param"),
    [
        ({"scheduledFor": "2030-12-02T09:00:00Z"}, "after"),
        ({"publishNow": True}, "after"),
        ({"queue": "next"}, "after"),
        ({"after": {"postId": "x", "delay": "-PT1H"}}, "after.delay"),
        ({"after": {"postId": "x", "delay": "P366D"}}, "after.delay"),
        ({"after": {"postId": "x", "onFailure": "retry"}}, "after.onFailure"),
        ({"after": {"delay": "PT1H"}}, "after.postId"),
        ({"after": "post_1"}, "after"),
        ({"platforms": []}, "platforms"),
    ],
)
async def test_a_wrong_wish_is_refused(api: Client, stack: Stack, beside: dict[str, Any], param: str) -> None:
    refused = await create(api, {**body(stack, "wrong"), "after": {"postId": "post_x"}, **beside}, 400)
    assert [problem["param"] for problem in refused["errors"]] == [param]


async def test_the_rules_of_platforms_hold_from_the_beginning(api: Client, stack: Stack) -> None:
    first = await scheduled(api, stack, "before a long text")
    refused = await create(api, body(stack, "x" * 10_000, after={"postId": first["id"]}), 422)
    assert refused["param"] == "content"
    post = await create(api, body(stack, "short", after={"postId": first["id"]}))
    assert (await patch(api, post, 422, content="x" * 10_000))["param"] == "content"


async def test_a_post_that_is_not_there_is_refused(api: Client, stranger: Client, stack: Stack) -> None:
    theirs = await create(stranger, {"content": "another workspace's"})
    for post_id in ("post_1", "post_" + "0" * 32, theirs["id"], "\u202e"):
        refused = await create(api, body(stack, "waits for nothing", after={"postId": post_id}), 422)
        assert (refused["code"], refused["param"]) == ("post_not_found", "after.postId")


async def test_a_failed_post_or_one_long_past_is_refused(api: Client, stack: Stack) -> None:
    first = await failed(api, stack, "has failed already")
    refused = await create(api, body(stack, "too late", after={"postId": first["id"]}), 409)
    assert (refused["code"], refused["param"]) == ("conflict", "after.postId")
    await create(api, body(stack, "not too late", after={"postId": first["id"], "onFailure": "wait"}))
    old = await scheduled(api, stack, "long ago")
    await settle(stack, old, PostStatus.PUBLISHED, datetime.now(UTC) - timedelta(hours=3))
    past = await create(api, body(stack, "past", after={"postId": old["id"], "delay": "PT2H"}), 422)
    assert (past["code"], past["param"]) == ("scheduled_time_passed", "after.delay")
    await create(api, body(stack, "in time", after={"postId": old["id"], "delay": "PT4H"}))


async def test_no_post_waits_for_itself(api: Client, stack: Stack) -> None:
    first = await create(api, body(stack, "a draft in a circle"))
    second = await create(api, body(stack, "second in it", after={"postId": first["id"]}))
    third = await create(api, body(stack, "third in it", after={"postId": second["id"]}))
    for target in (first, second, third):
        refused = await patch(api, first, 422, after={"postId": target["id"]})
        assert (refused["code"], refused["param"]) == ("chain_circle", "after.postId")


async def test_two_changes_at_once_make_no_circle(api: Client, stack: Stack) -> None:
    one, other = [await create(api, body(stack, f"half a circle {number}")) for number in range(2)]
    responses = await asyncio.gather(
        api.patch(f"/v1/posts/{one['id']}", json={"after": {"postId": other["id"]}}),
        api.patch(f"/v1/posts/{other['id']}", json={"after": {"postId": one["id"]}}),
    )
    assert sorted(response.status_code for response in responses) == [200, 422]


async def test_a_chain_has_ten_posts(api: Client, stack: Stack) -> None:
    posts = [await scheduled(api, stack, "chain 0")]
    for number in range(1, 10):
        posts.append(await create(api, body(stack, f"chain {number}", after={"postId": posts[-1]["id"]})))
    refused = await create(api, body(stack, "chain 10", after={"postId": posts[-1]["id"]}), 422)
    assert (refused["code"], refused["param"]) == ("chain_too_long", "after.postId")
    before = await scheduled(api, stack, "before the chain")
    assert (await patch(api, posts[0], 422, after={"postId": before["id"]}))["code"] == "chain_too_long"
    await patch(api, posts[9], after=None)
    await patch(api, posts[0], after={"postId": before["id"]})


async def test_validate_checks_the_other_post(api: Client, stack: Stack) -> None:
    first = await scheduled(api, stack, "for a validation")
    good = (await api.post("/v1/posts/validate", json=body(stack, "v", after={"postId": first["id"]}))).json()
    assert good == {"valid": True, "errors": [], "warnings": []}
    wrong = (await api.post("/v1/posts/validate", json=body(stack, "v", after={"postId": "post_1"}))).json()
    assert [problem["code"] for problem in wrong["errors"]] == ["post_not_found"]


async def test_a_repeat_with_a_key_creates_it_once(api: Client, stack: Stack) -> None:
    first = await scheduled(api, stack, "for a repeat")
    sent, headers = body(stack, "repeated", after={"postId": first["id"]}), {"Idempotency-Key": "chain-once"}
    responses = await asyncio.gather(*(api.send_post(sent, **headers) for _ in range(4)))
    assert len({response.text for response in responses}) == 1
    assert responses[0].json()["after"]["postId"] == first["id"]


async def test_a_row_of_a_backup_is_confirmed_before_it_follows(api: Client, stack: Stack) -> None:
    first = await published(api, stack, "before the backup")
    post = await create(api, body(stack, "may be public already", after={"postId": first["id"]}))
    now = datetime.now(UTC)
    restore = Restore(restored_to=now, database=True, temporal=True, begun_at=now + timedelta(hours=1), finished_at=now)
    async with stack.database.transaction() as session:
        session.add(restore)
    try:
        await follow(stack.worker_database, stack.workflows, post["id"])
    finally:
        async with stack.database.transaction() as session:
            await session.delete(await session.get_one(Restore, restore.id))
    row = await stack.read(post["id"])
    assert row.version > 1000, "as of every post whose newer rows may be lost"
    history = (await api.get(f"/v1/posts/{post['id']}/history")).json()["events"]
    assert any("Rows were lost" in line["summary"] for line in history)


async def test_a_post_waits_for_its_campaign_too(api: Client, stack: Stack) -> None:
    campaign = await save_campaign(stack, status=CampaignStatus.DRAFT)
    first = await published(api, stack, "before a campaign")
    wishes = {"campaignId": campaign, "after": {"postId": first["id"], "delay": "PT1H"}}
    post = await create(api, body(stack, "of a campaign", **wishes))
    await follow_posts(stack.worker_database, stack.workflows)
    assert await read(api, post) == post, "the campaign has not started"
    await set_status(stack, campaign, CampaignStatus.ENDED)
    await follow_posts(stack.worker_database, stack.workflows)
    shown = await read(api, post)
    assert (shown["status"], shown["skipReason"]) == ("draft", "campaign_ended")
    assert {"after", "waitsFor"}.isdisjoint(shown)


async def set_status(stack: Stack, campaign_id: str, status: CampaignStatus) -> None:
    async with stack.database.transaction() as session:
        await session.execute(update(Campaign).where(Campaign.id == campaign_id).values(status=status.value))
