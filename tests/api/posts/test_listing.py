"""GET /v1/posts and GET /v1/posts/{postId}."""

import base64
import json
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from api.posts.listing import cursor_after, read_cursor
from domain.post import PostStatus, TargetStatus
from store.models import Post, Target
from store.posts.list_filters import Order, Position
from tests.api.conftest import Client, draft
from tests.api.posts.test_history import tweet
from tests.stack import Stack


async def ids(api: Client, query: str = "") -> list[str]:
    response = await api.get(f"/v1/posts{query}")
    assert response.status_code == 200, response.text
    return [post["id"] for post in response.json()["posts"]]


async def test_an_empty_list(stranger: Client) -> None:
    assert (await stranger.get("/v1/posts")).json() == {"posts": [], "cursor": None, "hasMore": False}


async def test_pages_neither_skip_nor_repeat_while_posts_are_added(stranger: Client) -> None:
    ids = [(await draft(stranger, str(number)))["id"] for number in range(7)]
    seen: list[str] = []
    query = "?limit=3"
    while True:
        page = (await stranger.get(f"/v1/posts{query}")).json()
        seen += [post["id"] for post in page["posts"]]
        await draft(stranger, "added meanwhile")
        if not page["hasMore"]:
            break
        query = f"?limit=3&cursor={page['cursor']}"
    assert page["cursor"] is None
    assert seen == ids[::-1]


async def test_the_cursor_is_base64url_json(stranger: Client) -> None:
    await draft(stranger, "1")
    second = await draft(stranger, "2")
    cursor = (await stranger.get("/v1/posts?limit=1")).json()["cursor"]
    assert "=" not in cursor
    assert json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))) == {"id": second["id"]}


async def test_filters(api: Client, stranger: Client, stack: Stack) -> None:
    twitter, instagram = stack.accounts["twitter"].id, stack.accounts["instagram"].id
    on_twitter = await draft(stranger, "t", platforms=[{"platform": "twitter", "accountId": twitter}], tags=["a", "b"])
    on_instagram = await draft(stranger, "i", platforms=[{"platform": "instagram", "accountId": instagram}], tags=["b"])
    nowhere = await draft(stranger, "n")
    everything = [nowhere["id"], on_instagram["id"], on_twitter["id"]]
    assert await ids(stranger) == everything
    assert await ids(stranger, "?status=draft") == everything
    assert await ids(stranger, "?status=publishing") == []
    assert await ids(stranger, "?platform=twitter") == [on_twitter["id"]]
    assert await ids(stranger, f"?accountId={instagram}") == [on_instagram["id"]]
    assert await ids(stranger, f"?platform=twitter&accountId={instagram}") == []
    assert await ids(stranger, "?tag=b&limit=1") == [on_instagram["id"]]
    assert await ids(stranger, "?tag=a&platform=twitter&status=draft") == [on_twitter["id"]]


async def test_several_statuses_and_tags(stranger: Client, stack: Stack) -> None:
    twitter = {"platform": "twitter", "accountId": "tw_any"}
    states = {
        "failed": (PostStatus.FAILED, TargetStatus.FAILED),
        "partial": (PostStatus.PARTIAL, TargetStatus.UNCONFIRMED),
        "held": (PostStatus.PUBLISHING, TargetStatus.HELD),
        "published": (PostStatus.PUBLISHED, TargetStatus.PUBLISHED),
    }
    posts_by_status = {}
    for name, (status, target) in states.items():
        post = await draft(stranger, name, platforms=[twitter])
        async with stack.database.transaction() as session:
            await session.execute(update(Post).where(Post.id == post["id"]).values(status=status))
            await session.execute(update(Target).where(Target.post_id == post["id"]).values(status=target))
        posts_by_status[name] = post["id"]
    both = (await draft(stranger, "both", tags=["a", "b"]))["id"]
    tagged = (await draft(stranger, "one", tags=["a"]))["id"]
    assert await ids(stranger, "?status=failed,partial") == [posts_by_status["partial"], posts_by_status["failed"]]
    assert await ids(stranger, "?status=failed&status=partial") == [
        posts_by_status["partial"],
        posts_by_status["failed"],
    ]
    assert await ids(stranger, "?status=failed,held,unconfirmed") == [
        posts_by_status["held"],
        posts_by_status["partial"],
        posts_by_status["failed"],
    ]
    assert await ids(stranger, "?status=held") == [posts_by_status["held"]]
    # A post that is asked for twice is in the list once.
    assert await ids(stranger, "?status=unconfirmed,partial,partial") == [posts_by_status["partial"]]
    assert await ids(stranger, "?tag=a") == [tagged, both]
    assert await ids(stranger, "?tag=a&tag=b") == [both]


async def test_a_content_calendar(stranger: Client) -> None:
    # 20 minutes before and after midnight in Berlin, on one UTC day.
    year = datetime.now(UTC).year + 1
    late = await draft(stranger, "late", scheduledFor=f"{year}-12-03T23:40:00", timezone="Europe/Berlin")
    early = await draft(stranger, "early", scheduledFor=f"{year}-12-04T00:20:00", timezone="Europe/Berlin")
    soon = await draft(stranger, "soon", scheduledFor=f"{year}-11-01T09:00:00Z")
    await draft(stranger, "never")
    assert late["scheduledForLocal"] == f"{year}-12-03T23:40:00"
    assert early["scheduledForLocal"] == f"{year}-12-04T00:20:00"
    assert soon["scheduledForLocal"] == f"{year}-11-01T09:00:00"
    assert await ids(stranger, "?sort=scheduledFor") == [soon["id"], late["id"], early["id"]]
    day = f"{year}-12-03"
    assert await ids(stranger, f"?scheduledFrom={day}&scheduledTo={day}") == [late["id"], early["id"]]
    in_berlin = "&timezone=Europe/Berlin"
    assert await ids(stranger, f"?scheduledFrom={day}&scheduledTo={day}{in_berlin}") == [late["id"]]
    newest_first = "&sort=createdAt"
    assert await ids(stranger, f"?scheduledFrom={year}-12-01{newest_first}") == [early["id"], late["id"]]
    pages, query = [], "?sort=scheduledFor&limit=1"
    while True:
        page = (await stranger.get(f"/v1/posts{query}")).json()
        pages += [post["id"] for post in page["posts"]]
        if not page["hasMore"]:
            break
        query = f"?sort=scheduledFor&limit=1&cursor={page['cursor']}"
    assert pages == [soon["id"], late["id"], early["id"]]


async def test_updated_since_filters_the_list(stranger: Client) -> None:
    first, second = await draft(stranger, "first"), await draft(stranger, "second")
    changed = (await stranger.patch(f"/v1/posts/{first['id']}", json={"content": "changed"})).json()
    assert await ids(stranger, f"?updatedSince={first['updatedAt']}") == [second["id"], first["id"]]
    assert await ids(stranger, f"?updatedSince={changed['updatedAt']}") == [first["id"]]
    page = (await stranger.get(f"/v1/posts?updatedSince={first['updatedAt']}&limit=1")).json()
    rest = await ids(stranger, f"?updatedSince={first['updatedAt']}&cursor={page['cursor']}")
    assert ([post["id"] for post in page["posts"]], rest) == ([second["id"]], [first["id"]])


async def test_date_filters_include_displayed_times(stranger: Client) -> None:
    post = await draft(stranger, "dated")
    moment, day = post["createdAt"], datetime.now(UTC).date().isoformat()
    assert await ids(stranger, f"?fromDate={moment}&toDate={moment}") == [post["id"]]
    assert await ids(stranger, f"?fromDate={day}&toDate={day}") == [post["id"]]
    assert await ids(stranger, "?toDate=2020-01-01") == []
    assert await ids(stranger, "?fromDate=2999-01-01T00:00:00%2B02:00") == []


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ("status=done", "invalid_field_value", "status"),
        ("status=", "invalid_field_value", "status"),
        ("platform=myspace", "invalid_field_value", "platform"),
        ("limit=0", "invalid_field_value", "limit"),
        ("limit=101", "invalid_field_value", "limit"),
        ("limit=-1", "invalid_field_value", "limit"),
        ("limit=ten", "invalid_field_value", "limit"),
        ("limit=1.0", "invalid_field_value", "limit"),
        ("limit=" + "9" * 400, "invalid_field_value", "limit"),
        ("limit=%D9%A3", "invalid_field_value", "limit"),
        ("limit=5&limit=6", "invalid_field_value", "limit"),
        ("status=draft,done", "invalid_field_value", "status"),
        ("status=draft,", "invalid_field_value", "status"),
        ("status=pending", "invalid_field_value", "status"),
        ("sort=createdat", "invalid_field_value", "sort"),
        ("sort=-createdAt", "invalid_field_value", "sort"),
        ("timezone=Berlin", "invalid_field_value", "timezone"),
        ("scheduledFrom=soon", "invalid_field_value", "scheduledFrom"),
        ("scheduledFrom=2026-12-04&scheduledTo=2026-12-03", "invalid_field_value", "scheduledFrom"),
        ("updatedSince=1", "invalid_field_value", "updatedSince"),
        ("sort=scheduledFor&cursor=eyJpZCI6InBvc3RfYWJjMTIzIn0", "invalid_field_value", "cursor"),
        ("fromDate=yesterday", "invalid_field_value", "fromDate"),
        ("fromDate=2026-02-30", "invalid_field_value", "fromDate"),
        ("fromDate=0001-01-01T00:00:00%2B10:00", "invalid_field_value", "fromDate"),
        ("toDate=1767225600", "invalid_field_value", "toDate"),
        ("fromDate=2026-02-02&toDate=2026-02-01", "invalid_field_value", "fromDate"),
        ("cursor=%00", "invalid_field_value", "cursor"),
        ("cursor=!!!", "invalid_field_value", "cursor"),
        ("cursor=bm90IGpzb24", "invalid_field_value", "cursor"),
        ("cursor=e30", "invalid_field_value", "cursor"),
        ("cursor=eyJpZCI6MX0", "invalid_field_value", "cursor"),
        ("cursor=eyJpZCI6IiJ9", "invalid_field_value", "cursor"),
        ("tag=%00", "invalid_field_value", "tag"),
        ("lmit=5", "unknown_parameter", "lmit"),
        ("page=2", "unknown_parameter", "page"),
    ],
)
async def test_bad_queries_are_400(stranger: Client, query: str, code: str, param: str) -> None:
    response = await stranger.get(f"/v1/posts?{query}")
    assert response.status_code == 400
    assert (response.json()["code"], response.json()["param"]) == (code, param)


async def test_last_possible_day_covers_everything(stranger: Client) -> None:
    assert await ids(stranger, "?toDate=9999-12-31") == []


async def test_all_invalid_parameters_are_listed(stranger: Client) -> None:
    response = await stranger.get("/v1/posts?status=x&limit=y&toDate=z")
    assert [problem["param"] for problem in response.json()["errors"]] == ["status", "limit", "toDate"]


async def test_contract_cursor_is_accepted(stranger: Client) -> None:
    assert (await stranger.get("/v1/posts?cursor=eyJpZCI6InBvc3RfYWJjMTIzIn0")).status_code == 200


@given(st.from_regex(r"post_[0-9a-f]{32}", fullmatch=True))
def test_cursors_survive_the_round_trip(post_id: str) -> None:
    assert read_cursor(cursor_after(Position(post_id))) == Position(post_id)


@given(
    st.from_regex(r"post_[0-9a-f]{32}", fullmatch=True), st.datetimes(timezones=st.just(UTC)), st.sampled_from(Order)
)
def test_a_cursor_belongs_to_its_order(post_id: str, at: datetime, order: Order) -> None:
    position = Position(post_id, at)
    if order is Order.CREATED:
        with pytest.raises(ValueError, match="same other parameters"):
            read_cursor(cursor_after(position), order)
    else:
        assert read_cursor(cursor_after(position), order) == position
        with pytest.raises(ValueError, match="same other parameters"):
            read_cursor(cursor_after(Position(post_id)), order)


@given(st.text())
def test_invalid_cursors_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="cursor"):
        read_cursor(text)


class TestOnePost:
    async def test_is_the_same_as_in_the_list(self, stranger: Client) -> None:
        post = await draft(stranger, "one")
        assert (await stranger.get(f"/v1/posts/{post['id']}")).json() == post
        assert (await stranger.get("/v1/posts")).json()["posts"] == [post]

    @pytest.mark.parametrize(
        "post_id", ["post_" + "0" * 32, "post_abc123", "x", "%00", "%F0%9F%90%98", "post_" + "f" * 500, "..%2f"]
    )
    async def test_an_id_that_does_not_or_cannot_exist_is_not_found(self, stranger: Client, post_id: str) -> None:
        for response in (
            await stranger.get(f"/v1/posts/{post_id}"),
            await stranger.patch(f"/v1/posts/{post_id}", json={"content": "x"}),
            await stranger.delete(f"/v1/posts/{post_id}"),
            await stranger.post(f"/v1/posts/{post_id}/retry"),
            await stranger.post(f"/v1/posts/{post_id}/edit", json={"content": "x"}),
        ):
            assert (response.status_code, response.json()["code"]) == (404, "not_found")

    async def test_another_workspaces_post_is_not_found(self, api: Client, stranger: Client) -> None:
        post = await draft(api, "mine")
        where = f"/v1/posts/{post['id']}"
        assert (await stranger.get(where)).status_code == 404
        assert (await stranger.delete(where)).status_code == 404
        assert (await stranger.patch(where, json={"content": "theirs"})).status_code == 404
        assert (await api.get(where)).json() == post

    async def test_takes_no_query(self, stranger: Client) -> None:
        post = await draft(stranger, "q")
        assert (await stranger.get(f"/v1/posts/{post['id']}?expand=1")).json()["code"] == "unknown_parameter"


async def test_a_public_post_is_found_by_its_id_and_its_address(api: Client, stranger: Client, stack: Stack) -> None:
    post = (await api.send_post(tweet(stack, "a link is all that a customer has", publishNow=True))).json()
    (target,) = post["platforms"]
    for name in (target["platformPostId"], target["platformPostUrl"]):
        matching_posts = (await api.get("/v1/posts", params={"platformPostId": name})).json()["posts"]
        assert [entry["id"] for entry in matching_posts] == [post["id"]]
        assert (await stranger.get("/v1/posts", params={"platformPostId": name})).json()["posts"] == []
    other = {"platformPostId": target["platformPostId"] + "0"}
    assert (await api.get("/v1/posts", params=other)).json()["posts"] == []
    refused = await api.get("/v1/posts", params={"platformPostId": "1" * 2049})
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid_field_value")
