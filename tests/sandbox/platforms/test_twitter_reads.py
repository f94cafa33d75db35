import base64
import html

import pytest

from sandbox import media
from tests.sandbox.conftest import X_USER, Clock, Sandbox, sandbox_with_accounts


async def test_links_come_back_shortened_with_their_targets(shared: Sandbox) -> None:
    text = "Look: https://example.com/a?b=1&c=2, <b> & example.org/x."
    post = await shared.tweet(text)
    data = (await shared.x.get(f"/2/tweets/{post}", params={"tweet.fields": "entities"})).json()["data"]
    links = data["entities"]["urls"]
    assert [link["expanded_url"] for link in links] == ["https://example.com/a?b=1&c=2", "http://example.org/x"]
    assert all(data["text"][link["start"] : link["end"]] == link["url"] for link in links)
    assert all(link["url"].startswith("https://t.co/") for link in links)
    assert html.unescape(data["text"]) == f"Look: {links[0]['url']}, <b> & {links[1]['url']}."


async def test_media_posts_come_back_with_a_trailing_link_and_media_keys(shared: Sandbox) -> None:
    content = media.sample("reads", "jpg")
    files = {"media": ("a.jpg", content, "image/jpeg")}
    answer = await shared.x.post("/2/media/upload", data={"media_category": "tweet_image"}, files=files)
    uploaded = answer.json()["data"]
    created = await shared.x.post("/2/tweets", json={"text": "Photo", "media": {"media_ids": [uploaded["id"]]}})
    assert created.json()["data"]["text"].startswith("Photo https://t.co/")
    post = created.json()["data"]["id"]
    data = (await shared.x.get(f"/2/tweets/{post}", params={"tweet.fields": "entities,attachments"})).json()["data"]
    (link,) = data["entities"]["urls"]
    assert data["attachments"] == {"media_keys": [uploaded["media_key"]]}
    assert link["expanded_url"] == f"https://x.com/premium/status/{post}/photo/1"
    assert data["text"][link["start"] : link["end"]] == link["url"]


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


async def test_timelines_have_only_the_wanted_fields(shared: Sandbox) -> None:
    await shared.tweet("fields")
    plain = (await shared.x.get(f"/2/users/{X_USER}/tweets")).json()["data"][0]
    assert set(plain) == {"id", "text", "edit_history_tweet_ids"}
    query = {"tweet.fields": "created_at,author_id"}
    full = (await shared.x.get(f"/2/users/{X_USER}/tweets", params=query)).json()["data"][0]
    assert full["author_id"] == X_USER
    assert full["created_at"].endswith(".000Z")


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


async def test_names_that_x_does_not_know_are_ignored(shared: Sandbox) -> None:
    post = await shared.tweet("two dialects")
    known = {
        "tweet.fields": {"id", "text", "edit_history_tweet_ids", "created_at"},
        "post.fields": {"id", "text", "edit_history_post_ids", "created_at"},
    }
    for parameter, names in known.items():
        asked = {parameter: "created_at,likes,edit_history_post_ids,edit_history_tweet_ids"}
        answer = await shared.x.get(f"/2/tweets/{post}", params=asked)
        assert answer.status_code == 200
        assert answer.json()["data"].keys() == names


async def test_several_posts_at_once(shared: Sandbox) -> None:
    post = await shared.tweet("one of several")
    answer = (await shared.x.get("/2/tweets", params={"ids": f"{post},1"})).json()
    assert [shown["id"] for shown in answer["data"]] == [post]
    assert [error["value"] for error in answer["errors"]] == ["1"]


async def test_me_reports_premium(shared: Sandbox) -> None:
    fields = {"user.fields": "verified_type,subscription_type"}
    premium = (await shared.x.get("/2/users/me", params=fields)).json()["data"]
    free = (await shared.free.get("/2/users/me", params=fields)).json()["data"]
    assert premium == {
        "id": X_USER,
        "name": "premium",
        "username": "premium",
        "verified_type": "blue",
        "subscription_type": "Premium",
    }
    assert (free["verified_type"], free["subscription_type"]) == ("none", "None")


async def test_refresh_tokens_rotate_and_a_replay_ends_the_grant(sandbox: Sandbox) -> None:
    async def renew(token: str) -> dict[str, str]:
        form = {"grant_type": "refresh_token", "refresh_token": token, "client_id": "client"}
        return dict((await sandbox.x.post("/2/oauth2/token", data=form)).json())

    async def accepted(token: str) -> bool:
        answer = await sandbox.x.get("/2/users/me", headers={"authorization": f"Bearer {token}"})
        return answer.status_code == 200

    first = await renew("x-refresh")
    second = await renew(first["refresh_token"])
    assert second["access_token"] != first["access_token"]
    assert await accepted(first["access_token"])
    assert await accepted(second["access_token"])
    assert (await renew("x-refresh"))["error"] == "invalid_request"
    assert (await renew(second["refresh_token"]))["error"] == "invalid_request"
    assert not await accepted(first["access_token"])
    assert not await accepted(second["access_token"])
    assert not await accepted("x-premium"), "it came of the same consent"
    tokens = await sandbox.control.get("/_/tokens", params={"platform": "twitter", "accountId": "acc_premium"})
    assert tokens.json()["grants"] == [{"renewals": 2, "replays": 1, "ended": True}]


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


async def test_videos_are_uploaded_in_pieces_and_ready_at_once(shared: Sandbox) -> None:
    content = media.sample("clip", "mp4")
    data = await upload_in_pieces(shared, content, "video/mp4", "tweet_video")
    assert data["size"] == len(content)
    assert data["processing_info"] == {"state": "succeeded", "progress_percent": 100}
    status = {"command": "STATUS", "media_id": str(data["id"])}
    polled = (await shared.x.get("/2/media/upload", params=status)).json()["data"]
    assert polled["processing_info"]["state"] == "succeeded"
    await shared.tweet("a film", media={"media_ids": [data["id"]]})
    assert (await shared.posts())[0]["mediaCount"] == 1
    card = (await shared.control.get("/_/feed")).json()["cards"][0]
    assert card["media"] == [{"type": "video", "src": "/_/media/clip.mp4"}]


async def test_realistic_videos_are_processed_first(clock: Clock) -> None:
    async with sandbox_with_accounts(realistic=True, clock=clock) as sandbox:
        data = await upload_in_pieces(sandbox, media.sample("clip", "mp4"), "video/mp4", "tweet_video")
        assert data["processing_info"] == {"state": "pending", "check_after_secs": 1}
        body = {"text": "too early", "media": {"media_ids": [data["id"]]}}
        assert (await sandbox.x.post("/2/tweets", json=body)).status_code == 400
        status = {"command": "STATUS", "media_id": str(data["id"])}
        states = []
        for _ in range(2):
            clock.now += 1
            answer = await sandbox.x.get("/2/media/upload", params=status)
            states.append(answer.json()["data"]["processing_info"]["state"])
        assert states == ["in_progress", "succeeded"]
        assert (await sandbox.x.post("/2/tweets", json=body)).status_code == 201


async def test_invalid_video_fails_in_processing(shared: Sandbox) -> None:
    data = await upload_in_pieces(shared, b"not a video at all" * 10, "video/mp4", "tweet_video")
    assert dict(data["processing_info"])["state"] == "failed"  # type: ignore[call-overload]
    body = {"text": "broken", "media": {"media_ids": [data["id"]]}}
    assert (await shared.x.post("/2/tweets", json=body)).status_code == 400


async def test_images_may_come_as_base64_and_get_a_description(shared: Sandbox) -> None:
    content = base64.b64encode(media.sample("described", "png")).decode()
    answer = await shared.x.post("/2/media/upload", json={"media": content, "media_category": "tweet_image"})
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
