from typing import Any

import httpx
import pytest

from sandbox.media import sample
from tests.sandbox.conftest import X_USER, Clock, Sandbox, lasting, sandbox_with_accounts


async def test_publishing_answers_201_with_a_snowflake_and_rate_limit_headers(shared: Sandbox) -> None:
    answers = [await shared.x.post("/2/tweets", json={"text": f"hello {number}"}) for number in range(2)]
    first, second = (answer.json()["data"] for answer in answers)
    assert answers[0].status_code == 201
    assert first["text"] == "hello 0"
    assert first["edit_history_tweet_ids"] == [""]
    assert 19 == len(first["id"]) == len(second["id"])
    assert int(second["id"]) > int(first["id"])
    assert answers[0].headers["x-rate-limit-limit"] == "100"
    assert int(answers[0].headers["x-rate-limit-remaining"]) > 0


@pytest.mark.parametrize("header", ["", "Bearer nope", "Bearer ig-token", "Basic x-premium"])
async def test_unknown_tokens_are_refused(shared: Sandbox, header: str) -> None:
    answer = await shared.x.post("/2/tweets", json={"text": "hi"}, headers={"authorization": header})
    assert (answer.status_code, answer.json()["title"]) == (401, "Unauthorized")


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"text": ""},
        {"text": "  "},
        {"text": 3},
        {"text": "a", "status": "b"},
        {"text": "a", "reply": {"in_reply_to_tweet_id": "1", "more": 1}},
        {"text": "a", "reply": {"in_reply_to_tweet_id": "abc"}},
        {"text": "a", "media": {"media_ids": []}},
        {"text": "a", "media": {"media_ids": ["1"]}},
        {"text": "a", "media": {"media_ids": ["1", "2", "3", "4", "5"]}},
        {"text": "a", "poll": {"options": ["one"], "duration_minutes": 60}},
        {"text": "a", "poll": {"options": ["one", "x" * 26], "duration_minutes": 60}},
        {"text": "a", "poll": {"options": ["one", "two"], "duration_minutes": 4}},
        {"text": "a", "poll": {"options": ["one", "two"], "duration_minutes": 60}, "quote_tweet_id": "1"},
        {"text": "a", "reply_settings": "everyone"},
        {"text": "a" * 25_001},
        [],
    ],
)
async def test_bodies_outside_the_schema_are_refused(shared: Sandbox, body: Any) -> None:
    answer = await shared.x.post("/2/tweets", json=body)
    problem = answer.json()
    assert answer.status_code == 400
    assert problem["type"] == "https://api.x.com/2/problems/invalid-request"
    assert problem["errors"][0]["message"]


async def test_an_unknown_field_is_named(shared: Sandbox) -> None:
    answer = await shared.x.post("/2/tweets", json={"text": "a", "media": {"media_ids": ["1"], "idempotency": 1}})
    assert answer.json()["errors"][0]["message"].startswith("$.media.idempotency: is not defined in the schema")
    assert (await shared.x.post("/2/tweets", content=b"{")).status_code == 400


@pytest.mark.parametrize(
    ("text", "weight"),
    [
        ("x" * 280, 280),
        ("x" * 281, 281),
        ("語" * 140, 280),
        ("語" * 140 + "x", 281),
        ("👨‍👩‍👧‍👦" * 140, 280),
        ("é" * 280, 280),
        ("https://example.com/" + "x" * 400 + " " + "y" * 256, 280),
        ("https://example.com/" + "x" * 400 + " " + "y" * 257, 281),
    ],
)
async def test_free_accounts_have_280_weighted_characters(shared: Sandbox, text: str, weight: int) -> None:
    answer = await shared.free.post("/2/tweets", json={"text": text})
    assert answer.status_code == (201 if weight <= 280 else 400)


async def test_premium_accounts_have_25000(shared: Sandbox) -> None:
    post = await shared.tweet("long " * 4000)
    answer = await shared.x.get(f"/2/tweets/{post}", params={"tweet.fields": "note_tweet"})
    data = answer.json()["data"]
    assert data["note_tweet"]["text"] == "long " * 4000
    assert data["text"] == "long " * 55 + "long…"


async def test_the_same_text_is_refused_as_a_duplicate_until_deleted(shared: Sandbox) -> None:
    post = await shared.tweet("only once")
    answer = await shared.x.post("/2/tweets", json={"text": "only once"})
    assert (answer.status_code, answer.json()["detail"]) == (
        403,
        "You are not allowed to create a Tweet with duplicate content.",
    )
    assert (await shared.free.post("/2/tweets", json={"text": "only once"})).status_code == 201
    await shared.x.delete(f"/2/tweets/{post}")
    await shared.tweet("only once")


async def test_the_same_text_with_newly_uploaded_media_is_no_duplicate(shared: Sandbox) -> None:
    for _ in range(2):
        files = {"media": ("a.jpg", sample("a", "jpg"), "image/jpeg")}
        upload = await shared.x.post("/2/media/upload", data={"media_category": "tweet_image"}, files=files)
        media = {"media_ids": [upload.json()["data"]["id"]]}
        await shared.tweet("the same words", media=media)
        again = await shared.x.post("/2/tweets", json={"text": "the same words", "media": media})
        assert again.status_code == 403


async def test_replies_quotes_and_polls(shared: Sandbox) -> None:
    post = await shared.tweet("a thread begins")
    reply = await shared.tweet("and goes on", reply={"in_reply_to_tweet_id": post})
    await shared.tweet("as I said", quote_tweet_id=post)
    await shared.tweet("well?", poll={"options": ["yes", "no"], "duration_minutes": 60})
    fields = {"tweet.fields": "referenced_tweets,conversation_id"}
    data = (await shared.x.get(f"/2/tweets/{reply}", params=fields)).json()["data"]
    assert data["referenced_tweets"] == [{"type": "replied_to", "id": post}]
    assert data["conversation_id"] == post
    await shared.x.delete(f"/2/tweets/{post}")
    late = await shared.x.post("/2/tweets", json={"text": "too late", "reply": {"in_reply_to_tweet_id": post}})
    assert late.status_code == 403


async def test_a_post_has_one_cashtag(shared: Sandbox) -> None:
    answer = await shared.x.post("/2/tweets", json={"text": "buy $TSLA and $AAPL"})
    message = "Posts are limited to a maximum of one cashtag."
    assert (answer.status_code, answer.json()["detail"]) == (403, message)
    await shared.tweet("buy $TSLA for $5")


@pytest.mark.parametrize(("minutes", "free", "premium"), [(20, 201, 201), (21, 403, 201), (126, 403, 403)])
async def test_the_length_of_a_video_is_judged_when_it_is_posted(
    shared: Sandbox, minutes: int, free: int, premium: int
) -> None:
    for client, status in ((shared.free, free), (shared.x, premium)):
        content = lasting(minutes * 60)
        begin = {"media_type": "video/mp4", "total_bytes": len(content), "media_category": "tweet_video"}
        upload = (await client.post("/2/media/upload/initialize", json=begin)).json()["data"]["id"]
        files = {"media": ("a", content, "application/octet-stream")}
        await client.post(f"/2/media/upload/{upload}/append", data={"segment_index": "0"}, files=files)
        assert (await client.post(f"/2/media/upload/{upload}/finalize")).status_code == 200
        answer = await client.post("/2/tweets", json={"text": f"{minutes}", "media": {"media_ids": [upload]}})
        assert answer.status_code == status
        assert status == 201 or "is not allowed to post a video longer than" in answer.json()["detail"]


async def test_editing_makes_a_new_version_and_supersedes_the_old(shared: Sandbox) -> None:
    first = await shared.tweet("frist version")
    second = await shared.tweet("first version", edit_options={"previous_post_id": first})
    posts = {post["platformPostId"]: post for post in await shared.posts()}
    assert posts[first]["supersededBy"] == second
    assert posts[second]["supersededBy"] is None
    fields = {"tweet.fields": "edit_controls,edit_history_tweet_ids"}
    data = (await shared.x.get(f"/2/tweets/{second}", params=fields)).json()["data"]
    assert data["edit_history_tweet_ids"] == [first, second]
    assert data["edit_controls"]["edits_remaining"] == 4
    assert data["edit_controls"]["is_edit_eligible"] is True
    timeline = (await shared.x.get(f"/2/users/{X_USER}/tweets")).json()["data"]
    assert first not in [post["id"] for post in timeline]
    stale = await shared.x.post("/2/tweets", json={"text": "again", "edit_options": {"previous_post_id": first}})
    assert stale.status_code == 403


async def test_edits_end_after_an_hour_and_after_five(timed: Sandbox, clock: Clock) -> None:
    late = await timed.tweet("late")
    clock.now += 3700
    answer = await timed.x.post("/2/tweets", json={"text": "later", "edit_options": {"previous_post_id": late}})
    assert answer.status_code == 403
    latest = await timed.tweet("version 0")
    for number in range(1, 6):
        latest = await timed.tweet(f"version {number}", edit_options={"previous_post_id": latest})
    answer = await timed.x.post("/2/tweets", json={"text": "version 6", "edit_options": {"previous_post_id": latest}})
    assert answer.status_code == 403


async def test_accounts_that_may_not_edit_are_refused(shared: Sandbox) -> None:
    async def edit(client: httpx.AsyncClient, post: str) -> int:
        body = {"text": f"edited {post}", "edit_options": {"previous_post_id": post}}
        return (await client.post("/2/tweets", json=body)).status_code

    mine = await shared.tweet("mine")
    theirs = (await shared.free.post("/2/tweets", json={"text": "theirs"})).json()["data"]["id"]
    poll = await shared.tweet("a poll", poll={"options": ["yes", "no"], "duration_minutes": 60})
    assert await edit(shared.free, theirs) == 403
    assert await edit(shared.x, theirs) == 403
    assert await edit(shared.x, poll) == 403
    assert await edit(shared.x, "1") == 404
    assert await edit(shared.x, mine) == 201


async def test_deleting_takes_all_versions_and_only_ones_own(shared: Sandbox) -> None:
    first = await shared.tweet("to be deleted")
    second = await shared.tweet("to be deleted, again", edit_options={"previous_post_id": first})
    assert (await shared.free.delete(f"/2/tweets/{first}")).status_code == 403
    assert (await shared.x.delete(f"/2/tweets/{first}")).json() == {"data": {"deleted": True}}
    posts = {post["platformPostId"]: post for post in await shared.posts()}
    assert posts[first]["deleted"] is posts[second]["deleted"] is True
    gone = await shared.x.get(f"/2/tweets/{second}")
    assert (gone.status_code, "data" in gone.json()) == (200, False)
    assert gone.json()["errors"][0]["type"].endswith("resource-not-found")


async def test_realistic_limits_count_and_reset(clock: Clock) -> None:
    async with sandbox_with_accounts(realistic=True, clock=clock) as sandbox:
        answers = [await sandbox.x.post("/2/tweets", json={"text": f"post {number}"}) for number in range(101)]
        assert [answer.status_code for answer in answers] == [201] * 100 + [429]
        assert answers[0].headers["x-rate-limit-remaining"] == "99"
        reset = int(answers[-1].headers["x-rate-limit-reset"])
        assert (await sandbox.free.post("/2/tweets", json={"text": "mine"})).status_code == 201
        clock.now = reset
        await sandbox.tweet("again")
