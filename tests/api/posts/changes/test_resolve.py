"""A person settles targets that cannot be confirmed; the attempt log records it."""

from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select, update

from domain import transitions
from domain.attempts import AttemptResult, AttemptState
from domain.content import EditedText
from domain.transitions import ConfirmationOf, WriteResult
from platforms.errors import ErrorKind, PlatformError
from platforms.http.transport import Transport
from platforms.http.wire import Wire
from platforms.registry import platforms
from store.models import Account, Attempt, Revision, Target
from store.posts.queries import add_revision
from store.publishing.editing import begin_edit
from store.publishing.sending import settle
from store.rows import current_row
from tests.stack import CLIENT, Stack

pytestmark = pytest.mark.usefixtures("early_confirm")


async def unconfirmed(stack: Stack, api: httpx.AsyncClient, text: str) -> dict[str, Any]:
    """Publish to a platform whose posts cannot be read back, and lose its answer."""
    account = stack.accounts.get("telegram") or await stack.connect("telegram")
    stack.accounts["telegram"] = account
    await stack.fault("telegram", "accept_then_drop", "publish")
    body = {"content": text, "platforms": [{"platform": "telegram", "accountId": account.id}], "publishNow": True}
    post: dict[str, Any] = (await api.post("/v1/posts", json=body)).json()
    assert post["platforms"][0]["status"] == "unconfirmed"
    assert post["status"] == "partial"
    return post


def post_body(post: dict[str, Any]) -> dict[str, Any]:
    """Return a body that publishes to the post's accounts."""
    targets = [{"platform": platform["platform"], "accountId": platform["accountId"]} for platform in post["platforms"]]
    return {"platforms": targets, "publishNow": True}


def _target_ids(post_id: str) -> Any:
    return select(Target.id).where(Target.post_id == post_id)


def naming(post: dict[str, Any], **more: Any) -> dict[str, Any]:
    (target,) = post["platforms"]
    return {"platform": target["platform"], "accountId": target["accountId"], **more}


async def test_a_person_resolves_an_unconfirmed_post_as_published(stack: Stack, api: httpx.AsyncClient) -> None:
    post = await unconfirmed(stack, api, "seen by a person")
    (public,) = await stack.public("seen by a person")
    body = naming(post, outcome="published", platformPostId=public["platformPostId"])
    answer = await api.post(f"/v1/posts/{post['id']}/resolve", json=body)
    assert answer.status_code == 200
    assert answer.json()["status"] == "published"
    assert answer.json()["platforms"][0]["platformPostId"] == public["platformPostId"]
    published = await api.post("/v1/posts", json={**post_body(post), "content": "never unconfirmed"})
    other = await api.post(f"/v1/posts/{published.json()['id']}/resolve", json=body)
    assert (other.status_code, other.json()["code"]) == (409, "conflict")


async def test_the_address_of_the_post_is_as_good_as_its_id(stack: Stack, api: httpx.AsyncClient) -> None:
    post = await unconfirmed(stack, api, "named by its address")
    where, name = f"/v1/posts/{post['id']}/resolve", stack.accounts["telegram"].username
    elsewhere = naming(post, outcome="published", platformPostId="https://t.me/some_channel/4711?single")
    refused = await api.post(where, json=elsewhere)
    assert (refused.status_code, refused.json()["param"]) == (400, "platformPostId")
    assert refused.json()["error"] == (
        f"platformPostId names a post of some_channel, and the posts of this account are of {name}; if its name has "
        "changed, give the message's number in its chat, digits alone"
    )
    body = naming(post, outcome="published", platformPostId=f"https://t.me/{name.upper()}/4711?single")
    (target,) = (await api.post(where, json=body)).json()["platforms"]
    assert (target["platformPostId"], target["platformPostUrl"]) == ("4711", body["platformPostId"])


async def test_post_on_a_server_is_named_by_an_address_there_or_by_its_id(stack: Stack, api: httpx.AsyncClient) -> None:
    account = await stack.connect("mastodon")
    async with stack.database.transaction() as session:
        of_server = {"user_id": "7@social.test", "username": "somebody@social.test"}
        await session.execute(update(Account).where(Account.id == account.id).values(**of_server))
    await stack.fault("mastodon", "drop", "publish")
    named = {"platform": "mastodon", "accountId": account.id}
    created = {"content": "on a server of its own", "platforms": [named], "publishNow": True}
    post = (await api.post("/v1/posts", json=created, headers={"Prefer": "wait=0"})).json()

    async def is_unconfirmed() -> bool:
        return (await stack.read(post["id"])).targets[0].status == "unconfirmed"

    assert await stack.outcomes.wait(post["id"], is_unconfirmed, 20)
    where, body = f"/v1/posts/{post['id']}/resolve", {**named, "outcome": "published"}

    async def resolve(platform_post_id: str) -> tuple[str, str | None]:
        answer = await api.post(where, json=body | {"platformPostId": platform_post_id})
        assert answer.status_code == 200, answer.text
        (target,) = answer.json()["platforms"]
        return target["platformPostId"], target["platformPostUrl"]

    elsewhere = await api.post(where, json=body | {"platformPostId": "https://other.test/@somebody/115"})
    assert (elsewhere.status_code, elsewhere.json()["param"]) == (400, "platformPostId")
    assert elsewhere.json()["error"] == (
        "platformPostId names a post of other.test, and the posts of this account are of social.test"
    )
    of_gotosocial = "https://social.test/@somebody/statuses/01JBCDEFGHJKMNPQRSTVWXYZ01"
    assert await resolve(of_gotosocial) == ("01JBCDEFGHJKMNPQRSTVWXYZ01", of_gotosocial)
    assert await resolve("115") == ("115", "https://social.test/@somebody/115")
    # The address of a post that is known already stays.
    pasted = f"https://social.test/deck/@somebody/115?from={'x' * 1000}"
    assert await resolve(pasted) == ("115", "https://social.test/@somebody/115")


async def test_resolution_can_be_corrected(stack: Stack, api: httpx.AsyncClient) -> None:
    post = await unconfirmed(stack, api, "said wrongly")
    where = f"/v1/posts/{post['id']}/resolve"

    async def say(**decision: Any) -> dict[str, Any]:
        answer = await api.post(where, json=naming(post, **decision))
        assert answer.status_code == 200, answer.text
        (target,) = answer.json()["platforms"]
        stored: dict[str, Any] = target
        return stored

    assert (await say(outcome="published", platformPostId="1"))["platformPostId"] == "1"
    target = await say(outcome="published", platformPostId="2")
    assert (target["status"], target["platformPostId"]) == ("published", "2")
    target = await say(outcome="not_published")
    assert (target["status"], target["platformPostId"], target["publishedAt"]) == ("failed", None, None)
    assert (await say(outcome="published"))["status"] == "published"
    target = await say(outcome="not_published")
    assert (await api.get(f"/v1/posts/{post['id']}")).json()["status"] == "failed"
    assert (await api.post(f"/v1/posts/{post['id']}/retry")).json()["status"] == "published"
    # The person's decision no longer holds: the post was published since.
    assert (await api.post(where, json=naming(post, outcome="not_published"))).status_code == 409


async def test_a_resolution_during_a_confirmation_can_be_corrected(stack: Stack, api: httpx.AsyncClient) -> None:
    post = await unconfirmed(stack, api, "decided while it was confirmed")
    (row,) = (await stack.read(post["id"])).targets
    began = datetime.now(UTC)
    where, body = f"/v1/posts/{post['id']}/resolve", naming(post, outcome="published")
    assert (await api.post(where, json=body)).status_code == 200
    async with stack.database.transaction() as session:
        sent = await session.scalar(
            select(func.max(Attempt.id)).where(Attempt.target_id == row.id, Attempt.step == "publish")
        )
    result = AttemptResult(AttemptState.DONE, "not public yet; confirming again")
    confirmation = ConfirmationOf(sent, began)
    late = await settle(stack.worker_database, row.id, confirmation, transitions.still_unconfirmed(began), result)
    assert late.write is WriteResult.WRONG_STATUS
    answer = await api.post(where, json=body | {"platformPostId": "4712"})
    assert (answer.status_code, answer.json()["platforms"][0].get("platformPostId")) == (200, "4712")


async def test_resolution_is_final_after_a_week(stack: Stack, api: httpx.AsyncClient) -> None:
    post = await unconfirmed(stack, api, "said long ago")
    body = naming(post, outcome="not_published")
    assert (await api.post(f"/v1/posts/{post['id']}/resolve", json=body)).status_code == 200
    async with stack.database.transaction() as session:
        decision = update(Attempt).where(Attempt.step == "resolve", Attempt.target_id.in_(_target_ids(post["id"])))
        await session.execute(decision.values(started_at=datetime.now(UTC) - timedelta(days=8)))
    assert (await api.post(f"/v1/posts/{post['id']}/resolve", json=body)).status_code == 409


async def test_tweet_without_id_is_editable_once_resolved_with_its_id(stack: Stack, api: httpx.AsyncClient) -> None:
    await stack.fault("twitter", "drop", "publish")
    target = {"platform": "twitter", "accountId": stack.accounts["twitter"].id}
    tweet = {"content": "a tweet without an id", "platforms": [target], "publishNow": True}
    post = (await api.post("/v1/posts", json=tweet, headers={"Prefer": "wait=0"})).json()

    async def unconfirmed() -> bool:
        return (await stack.read(post["id"])).targets[0].status == "unconfirmed"

    assert await stack.outcomes.wait(post["id"], unconfirmed, 20)
    resolved = await api.post(f"/v1/posts/{post['id']}/resolve", json=target | {"outcome": "published"})
    assert resolved.json()["platforms"][0]["platformPostId"] is None
    edit = await api.post(f"/v1/posts/{post['id']}/edit", json={"content": "edited"})
    assert (edit.status_code, edit.json()["code"]) == (422, "edit_not_supported")
    assert "resolve" in edit.json()["error"]
    other = await stack.publish("the tweet that it is", [stack.accounts["twitter"]])
    named = f"https://twitter.com/somebody/status/{other.targets[0].platform_post_id}?s=20"
    body = target | {"outcome": "published", "platformPostId": named}
    assert (await api.post(f"/v1/posts/{post['id']}/resolve", json=body)).status_code == 200
    edit = await api.post(f"/v1/posts/{post['id']}/edit", json={"content": "edited once it had an id"})
    assert edit.json()["platforms"][0]["content"] == "edited once it had an id"


async def test_an_edit_ends_once_its_target_is_resolved_unpublished(stack: Stack, api: httpx.AsyncClient) -> None:
    post = await stack.publish("edited and taken back", [stack.accounts["twitter"]])
    async with stack.database.transaction() as session:
        edit = EditedText(content="late", target_ids=[post.targets[0].id])
        revision_id = await add_revision(session, post, edit, CLIENT, datetime.now(UTC))
        row = await session.get_one(Target, post.targets[0].id)
        row.platform_post_id = None
    async with stack.database.transaction() as session:
        assert await begin_edit(session, post.targets[0].id, revision_id) is None
    async with stack.database.transaction() as session:
        revision = await current_row(session, Revision, revision_id)
        assert revision is not None
        assert (revision.state, revision.error_code) == ("refused", "edit_not_supported")


async def test_a_target_resolved_unpublished_can_be_retried(stack: Stack, api: httpx.AsyncClient) -> None:
    post = await unconfirmed(stack, api, "not seen by a person")
    answer = await api.post(f"/v1/posts/{post['id']}/resolve", json=naming(post, outcome="not_published"))
    (target,) = answer.json()["platforms"]
    assert (answer.json()["status"], target["status"], target["retryable"]) == ("failed", "failed", True)
    retried = await api.post(f"/v1/posts/{post['id']}/retry")
    assert retried.json()["status"] == "published"


async def test_attempts_list_every_step(stack: Stack, api: httpx.AsyncClient) -> None:
    post = await unconfirmed(stack, api, "the story")
    await api.post(f"/v1/posts/{post['id']}/resolve", json=naming(post, outcome="not_published"))
    attempts = (await api.get(f"/v1/posts/{post['id']}/attempts")).json()["attempts"]
    assert [(attempt["step"], attempt["state"]) for attempt in attempts if attempt["step"] != "prepare"] == [
        ("publish", "unconfirmed"),
        ("confirm", "done"),
        ("resolve", "done"),
    ]
    assert attempts[-1]["decision"] == "a person says it is not published"
    assert all(attempt["finishedAt"] >= attempt["startedAt"] for attempt in attempts)


async def test_invalid_resolutions_have_their_own_codes(stack: Stack, api: httpx.AsyncClient) -> None:
    post = await unconfirmed(stack, api, "bad resolutions")
    path = f"/v1/posts/{post['id']}/resolve"
    for body, status, code, param in (
        ({}, 400, "missing_required_field", "platform"),
        (naming(post, outcome="maybe"), 400, "invalid_field_value", "outcome"),
        (naming(post, outcome="published", platformPost="1"), 400, "unknown_parameter", "platformPost"),
        ({**naming(post, outcome="published"), "accountId": "tg_other"}, 422, "account_not_found", "accountId"),
    ):
        answer = await api.post(path, json=body)
        problem = answer.json()
        assert (answer.status_code, problem["code"], problem["param"]) == (status, code, param)
    assert (await api.get("/v1/posts/post_unknown/attempts")).status_code == 404


@pytest.mark.parametrize(
    "named",
    ["12 3", "../../9", "1?fields=id", "1#x", "1\u0000", "1\n", "https://example.com/c/1/2", "\u0661", "%31", "-1"],
)
async def test_invalid_platform_ids_are_refused(stack: Stack, api: httpx.AsyncClient, named: str) -> None:
    body = {"platform": "telegram", "accountId": "tg_1", "outcome": "published", "platformPostId": named}
    answer = await api.post("/v1/posts/post_1/resolve", json=body)
    problem = answer.json()
    assert (answer.status_code, problem["code"], problem["param"]) == (400, "invalid_field_value", "platformPostId")


@pytest.mark.parametrize("platform", platforms())
def test_no_id_of_any_platform_changes_the_address_that_is_asked(platform: str) -> None:
    post_id = platforms()[platform].rules.post_id
    assert len(post_id.words) > 10
    for named in ("", "..", "a b", "1\n", "1?a=b", "1#b", "1/../2", "1\x7f", "é", "/1", "1/", "%2e%2e", "x" * 2000):
        assert not post_id.matches(named), named


async def test_impossible_addresses_are_not_requested(stack: Stack) -> None:
    async with Transport() as transport:
        wire = Wire(
            transport, stack.sandbox_url, "Test", lambda _: PlatformError(ErrorKind.TRANSIENT, "No.", code="no")
        )
        with pytest.raises(PlatformError) as raised:
            await wire.send("GET", "/2/tweets/1\x00", public=True)
    assert (raised.value.kind, raised.value.code) == (ErrorKind.REJECTED, "invalid_address")
