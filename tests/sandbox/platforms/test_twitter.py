"""The sandbox's X: what it refuses, how it shows posts and media, and its limits."""

import html
from typing import Any

import httpx
import pytest

from sandbox import media
from tests.sandbox.conftest import X_USER, Clock, Sandbox, lasting, sandbox_with_accounts


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


async def test_links_come_back_shortened_with_their_targets(shared: Sandbox) -> None:
    text = "Look: https://example.com/a?b=1&c=2, <b> & example.org/x."
    post = await shared.tweet(text)
    data = (await shared.x.get(f"/2/tweets/{post}", params={"tweet.fields": "entities"})).json()["data"]
    links = data["entities"]["urls"]
    assert [link["expanded_url"] for link in links] == ["https://example.com/a?b=1&c=2", "http://example.org/x"]
    assert all(data["text"][link["start"] : link["end"]] == link["url"] for link in links)
    assert all(link["url"].startswith("https://t.co/") for link in links)
    assert html.unescape(data["text"]) == f"Look: {links[0]['url']}, <b> & {links[1]['url']}."


async def test_timelines_are_newest_first_filtered_and_paged(timed: Sandbox, clock: Clock) -> None:
    ids = []
    for number in range(7):
        clock.now = 1_770_000_000 + number * 100
        ids.append(await timed.tweet(f"post {number}"))
    await timed.tweet("a reply", reply={"in_reply_to_tweet_id": ids[0]})
    await timed.free.post("/2/tweets", json={"text": "somebody else's"})

    async def read(**query: str) -> tuple[list[str], dict[str, object]]:
        answer = (await timed.x.get(f"/2/users/{X_USER}/tweets", params=query)).json()
        return [post["text"] for post in answer.get("data", [])], answer["meta"]

    texts, meta = await read(max_results="5", exclude="replies,retweets")
    assert texts == [f"post {number}" for number in (6, 5, 4, 3, 2)]
    assert (meta["result_count"], meta["newest_id"], meta["oldest_id"]) == (5, ids[6], ids[2])
    texts, meta = await read(max_results="5", exclude="replies", pagination_token=str(meta["next_token"]))
    assert (texts, "next_token" in meta) == (["post 1", "post 0"], False)
    # 1 770 000 500 is 2026-02-02T02:48:20Z.
    assert (await read(start_time="2026-02-02T02:48:20Z"))[0] == ["a reply", "post 6", "post 5"]
    assert (await read(end_time="2026-02-02T02:41:40.000Z"))[0] == ["post 0"]
    assert (await read(since_id=ids[5], exclude="replies"))[0] == ["post 6"]
    assert await read(start_time="2027-01-01T00:00:00Z") == ([], {"result_count": 0})


@pytest.mark.parametrize(
    "query",
    [
        {"max_results": "4"},
        {"max_results": "101"},
        {"start_time": "yesterday"},
        {"start_time": "2026-01-01T00:00:00"},
    ],
)
async def test_bad_queries_are_refused(shared: Sandbox, query: dict[str, str]) -> None:
    assert (await shared.x.get(f"/2/users/{X_USER}/tweets", params=query)).status_code == 400


async def upload_in_pieces(sandbox: Sandbox, content: bytes, kind: str, category: str) -> dict[str, object]:
    body = {"media_type": kind, "total_bytes": len(content), "media_category": category}
    media_id = (await sandbox.x.post("/2/media/upload/initialize", json=body)).json()["data"]["id"]
    half = len(content) // 2
    for index, piece in ((1, content[half:]), (0, content[:half]), (0, content[:half])):
        files = {"media": ("blob", piece)}
        answer = await sandbox.x.post(
            f"/2/media/upload/{media_id}/append", data={"segment_index": str(index)}, files=files
        )
        assert answer.json()["data"]["expires_at"] > 0
    answer = await sandbox.x.post(f"/2/media/upload/{media_id}/finalize")
    assert answer.status_code == 200, answer.text
    return dict(answer.json()["data"])


async def test_images_get_a_description(shared: Sandbox) -> None:
    files = {"media": ("a.png", media.sample("described", "png"))}
    answer = await shared.x.post("/2/media/upload", data={"media_category": "tweet_image"}, files=files)
    media_id = answer.json()["data"]["id"]
    described = {"id": media_id, "metadata": {"alt_text": {"text": "A planet"}}}
    assert (await shared.x.post("/2/media/metadata", json=described)).status_code == 200
    described["metadata"]["alt_text"]["text"] = "x" * 1001
    assert (await shared.x.post("/2/media/metadata", json=described)).status_code == 400
    await shared.tweet(media={"media_ids": [media_id]})
    card = (await shared.control.get("/_/feed")).json()["cards"][0]
    assert card["media"] == [{"type": "image", "src": "/_/media/described.png", "alt": "A planet"}]


async def test_unknown_bytes_are_kept_for_the_page(shared: Sandbox) -> None:
    content = media.sample("unknown", "gif") + b"\x00"
    files = {"media": ("a.gif", content)}
    answer = await shared.x.post("/2/media/upload", data={"media_category": "tweet_gif"}, files=files)
    await shared.tweet("kept", media={"media_ids": [answer.json()["data"]["id"]]})
    card = (await shared.control.get("/_/feed")).json()["cards"][0]
    stored = await shared.control.get(card["media"][0]["src"])
    assert (stored.headers["content-type"], stored.content) == ("image/gif", content)
    assert (await shared.control.get("/_/uploads/none.gif")).status_code == 404


async def test_bad_uploads_are_refused(shared: Sandbox) -> None:
    image = media.sample("bad", "jpg")
    for data, content in (
        ({"media_category": "tweet_image"}, b"rubbish"),
        ({"media_category": "tweet_image"}, image + b"\x00" * (5 << 20)),
        ({"media_category": "photo"}, image),
        ({}, image),
    ):
        answer = await shared.x.post("/2/media/upload", data=data, files={"media": ("a.jpg", content)})
        assert answer.status_code == 400
    body = {"media_type": "image/jpeg", "total_bytes": 10, "media_category": "tweet_image"}
    media_id = (await shared.x.post("/2/media/upload/initialize", json=body)).json()["data"]["id"]
    assert (await shared.x.post(f"/2/media/upload/{media_id}/finalize")).status_code == 400
    assert (await shared.free.post(f"/2/media/upload/{media_id}/finalize")).status_code == 400


async def test_media_mix_as_x_allows(shared: Sandbox) -> None:
    ids = {}
    for name, extension, category in (
        ("m1", "jpg", "tweet_image"),
        ("m2", "png", "tweet_image"),
        ("m3", "gif", "tweet_gif"),
    ):
        files = {"media": (name, media.sample(name, extension))}
        answer = await shared.x.post("/2/media/upload", data={"media_category": category}, files=files)
        ids[name] = answer.json()["data"]["id"]
    await shared.tweet("two images", media={"media_ids": [ids["m1"], ids["m2"]]})
    mixed = {"text": "mixed", "media": {"media_ids": [ids["m1"], ids["m3"]]}}
    assert (await shared.x.post("/2/tweets", json=mixed)).status_code == 400
    foreign = {"text": "foreign", "media": {"media_ids": [ids["m1"]]}}
    assert (await shared.free.post("/2/tweets", json=foreign)).status_code == 400


async def test_media_expire(timed: Sandbox, clock: Clock) -> None:
    files = {"media": ("a.jpg", media.sample("old", "jpg"))}
    answer = await timed.x.post("/2/media/upload", data={"media_category": "tweet_image"}, files=files)
    assert answer.json()["data"]["expires_after_secs"] <= 86_400
    clock.now += 90_000
    body = {"text": "too late", "media": {"media_ids": [answer.json()["data"]["id"]]}}
    assert (await timed.x.post("/2/tweets", json=body)).status_code == 400
