"""Correct failed targets of a post, retry some of them, and change held targets."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from domain.content import answer_bytes
from domain.schedule import rfc3339
from store.models import Account
from store.posts.contents import post_content
from tests.api.conftest import PUBLIC_URL, Client
from tests.api.posts.changes.corrections import DISTANT, PICTURE, make, naming, patch, refused, retry, words
from tests.stack import Stack
from tests.uploads import add_upload, address

pytestmark = pytest.mark.usefixtures("early_confirm")


class TestRefusedEverywhere:
    async def test_is_corrected_and_retried(self, api: Client, stack: Stack) -> None:
        old, new = words("refused"), words("corrected")
        post = await refused(api, stack, old)
        assert post["status"] == "failed"
        assert "PATCH" in post["platforms"][0]["hint"]
        after = await patch(api, post, {"content": new})
        (target,) = after["platforms"]
        assert (after["status"], after["content"], target["content"]) == ("failed", new, new)
        assert (target["status"], target["retryable"]) == ("failed", True)
        assert "retry" in target["hint"]
        published = await retry(api, post)
        assert published["status"] == "published"
        assert "hint" not in published["platforms"][0]
        assert (len(await stack.public(old)), len(await stack.public(new))) == (0, 1)
        attempts = (await api.get(f"/v1/posts/{post['id']}/attempts")).json()["attempts"]
        assert [(attempt["step"], attempt["state"]) for attempt in attempts] == [
            ("publish", "refused"),
            ("correct", "done"),
            ("confirm", "done"),
            ("publish", "done"),
        ]

    async def test_media_and_settings_are_corrected(self, api: Client, stack: Stack) -> None:
        post = await refused(api, stack, words("with media"), mediaItems=[PICTURE])
        own = {"customMedia": [], "platformSpecificData": {"replySettings": "following"}}
        after = await patch(api, post, {"platforms": naming(stack.accounts["plain"], **own)})
        assert own.items() <= after["platforms"][0].items()
        assert (await retry(api, post))["status"] == "published"
        assert len(await stack.public(post["content"])) == 1

    async def test_an_upload_whose_type_the_platform_refuses_is_no_correction(self, api: Client, stack: Stack) -> None:
        post = await refused(api, stack, words("with a video"))
        video = await add_upload(stack.database, stack.workspace_id, bytes(9), content_type="application/pdf")
        item = {"type": "video", "url": address(video, PUBLIC_URL)}
        (problem,) = (await patch(api, post, {"mediaItems": [item]}, 422))["errors"]
        assert (problem["code"], problem["param"]) == ("media_refused", "mediaItems.0")

    async def test_correction_accepts_the_body_of_get(self, api: Client, stack: Stack) -> None:
        due = datetime.now(UTC) + timedelta(seconds=1)
        await stack.fault(
            "twitter",
            "reject",
            "publish",
            status=400,
            body={"type": "about:blank", "title": "Invalid Request", "detail": "Invalid Request", "status": 400},
        )
        created = await make(
            api, stack.accounts["plain"], content=words("at its time"), publishNow=False, scheduledFor=rfc3339(due)
        )
        await stack.settled(created["id"])
        post = (await api.get(f"/v1/posts/{created['id']}")).json()
        assert post["status"] == "failed"
        after = await patch(api, post, {**post, "content": words("sent back")})
        assert after["scheduledFor"] == post["scheduledFor"]

    async def test_correction_may_change_tags(self, api: Client, stack: Stack) -> None:
        post = await refused(api, stack, words("labelled"))
        after = await patch(api, post, {"tags": ["refused"]})
        assert (after["tags"], after["platforms"]) == (["refused"], post["platforms"])

    @pytest.mark.parametrize(
        ("body", "status", "param"),
        [
            ({"scheduledFor": DISTANT}, 409, None),
            ({"publishNow": True}, 409, None),
            ({"isDraft": True}, 409, None),
            ({"timezone": "Asia/Tokyo"}, 409, None),
            ({"platforms": []}, 400, "platforms"),
            ({"content": ""}, 400, "content"),
            ({"content": None}, 400, "content"),
            ({"content": "x" * 281}, 422, "content"),
            ({"contents": "x"}, 400, "contents"),
        ],
    )
    async def test_unchangeable_fields_are_refused(
        self, api: Client, stack: Stack, body: dict[str, Any], status: int, param: str | None
    ) -> None:
        post = await refused(api, stack, words("stays"))
        answer = await patch(api, post, body, status)
        assert answer.get("param") == param
        assert (await api.get(f"/v1/posts/{post['id']}")).json() == post

    async def test_targets_can_be_neither_added_nor_dropped(self, api: Client, stack: Stack) -> None:
        post = await refused(api, stack, words("same targets"))
        for others in (("plain", "twitter"), ("twitter",)):
            body = {"platforms": naming(*(stack.accounts[name] for name in others))}
            assert (await patch(api, post, body, 409))["param"] == "platforms"


class TestPartial:
    async def test_published_targets_cannot_be_corrected(self, api: Client, stack: Stack) -> None:
        other = await stack.connect("mastodon")
        post = await refused(api, stack, words("shared"), other)
        assert post["status"] == "partial"
        answer = await patch(api, post, {"content": "another"}, 409)
        (problem,) = answer["errors"]
        assert problem["param"] == "platforms.1"
        assert (problem["platform"], problem["accountId"]) == ("mastodon", other.id)
        assert other.id in problem["error"]
        changes: list[dict[str, Any]] = [{"tags": []}, {"platforms": post["platforms"]}]
        for change in changes:
            assert (await patch(api, post, change))["platforms"] == post["platforms"]
        assert (await api.get(f"/v1/posts/{post['id']}")).json()["content"] == post["content"]

    async def test_failed_targets_get_their_own_content(self, api: Client, stack: Stack) -> None:
        other, new = await stack.connect("mastodon"), words("own")
        post = await refused(api, stack, words("shared"), other)
        failed, public = post["platforms"]
        after = await patch(api, post, {"platforms": [{**failed, "customContent": new}, public]})
        assert after["platforms"][1] == public
        published = await retry(api, post)
        assert (published["status"], published["platforms"][1]) == ("published", public)
        assert (len(await stack.public(new)), len(await stack.public(post["content"]))) == (1, 1)

    async def test_a_failed_target_is_corrected_alone(self, api: Client, stack: Stack) -> None:
        other, new = await stack.connect("mastodon"), words("named alone")
        post = await refused(api, stack, words("shared"), other)
        # However they are named, the targets stay in the post's order.
        for platforms in (post["platforms"][::-1], post["platforms"][:1]):
            after = await patch(api, post, {"platforms": platforms})
            assert after["platforms"] == post["platforms"]
        (failed,) = naming(stack.accounts["plain"], customContent="x" * 281)
        (problem,) = (await patch(api, post, {"platforms": [failed]}, 422))["errors"]
        assert problem["param"] == "platforms.0.customContent"
        after = await patch(api, post, {"platforms": [{**failed, "customContent": new}]})
        assert [target["content"] for target in after["platforms"]] == [new, post["content"]]
        assert after["platforms"][1] == post["platforms"][1]
        published = await retry(api, post)
        assert (published["status"], published["platforms"][1]) == ("published", post["platforms"][1])
        assert (len(await stack.public(new)), len(await stack.public(post["content"]))) == (1, 1)

    async def test_a_public_target_that_is_named_alone_is_refused(self, api: Client, stack: Stack) -> None:
        other = await stack.connect("mastodon")
        post = await refused(api, stack, words("shared"), other)
        (public,) = naming(other, customContent="another")
        (problem,) = (await patch(api, post, {"platforms": [public]}, 409))["errors"]
        assert (problem["param"], problem["accountId"]) == ("platforms.0", other.id)
        twice = await patch(api, post, {"platforms": naming(other, other)}, 400)
        assert (twice["code"], twice["param"]) == ("duplicate_target", "platforms.1.accountId")
        assert (await api.get(f"/v1/posts/{post['id']}")).json() == post

    async def test_the_shared_text_is_free_if_nothing_public_uses_it(self, api: Client, stack: Stack) -> None:
        other, old, new = await stack.connect("mastodon"), words("shared"), words("shared and new")
        post = await refused(api, stack, old, other)
        failed, public = post["platforms"]
        # The public target gets its present text as its own.
        body = {"content": new, "platforms": [failed, {**public, "customContent": old}]}
        after = await patch(api, post, body)
        assert [platform["content"] for platform in after["platforms"]] == [new, old]
        assert (await retry(api, post))["status"] == "published"
        assert (len(await stack.public(new)), len(await stack.public(old))) == (1, 1)

    async def test_unconfirmed_targets_cannot_be_corrected(self, api: Client, stack: Stack) -> None:
        other = await stack.connect("telegram")
        await stack.fault("telegram", "accept_then_drop", "publish")
        post = await refused(api, stack, words("lost"), other)
        assert [platform["status"] for platform in post["platforms"]] == ["failed", "unconfirmed"]
        assert (await patch(api, post, {"content": "another"}, 409))["param"] == "platforms.1"
        assert "resolve" in post["platforms"][1]["hint"]

    async def test_rules_of_unchanged_targets_are_not_checked(self, api: Client, stack: Stack) -> None:
        other = await stack.connect("mastodon")
        post = await refused(api, stack, words("account leaves"), other)
        async with stack.database.transaction() as session:
            await session.delete(await session.get_one(Account, (other.workspace_id, other.id)))
        failed, public = post["platforms"]
        too_long = {"platforms": [{**failed, "customContent": "x" * 281}, public]}
        (problem,) = (await patch(api, post, too_long, 422))["errors"]
        assert problem["param"] == "platforms.0.customContent"
        await patch(api, post, {"platforms": [{**failed, "customContent": words("own")}, public]})

    async def test_earlier_versions_still_count_for_the_size(self, api: Client, stack: Stack) -> None:
        premium = stack.accounts["twitter"]
        post = await refused(api, stack, words("edited"), premium)
        edited = await api.post(f"/v1/posts/{post['id']}/edit", json={"content": words("edited once")})
        assert edited.status_code == 200

        async def growth() -> int:
            row = await stack.read(post["id"])
            return row.answer_bytes - answer_bytes(post_content(row))

        before = await growth()
        failed, public = edited.json()["platforms"]
        await patch(api, post, {"platforms": [{**failed, "customContent": "short"}, public]})
        assert await growth() == before > 0


class TestChosenTargets:
    async def test_only_corrected_targets_are_retried(self, api: Client, stack: Stack) -> None:
        first, second = stack.accounts["plain"], stack.accounts["twitter"]
        for _ in range(2):
            await stack.fault("twitter", "reject", "publish", status=400)
        post = await make(api, first, second, content=words("both refused"))
        assert post["status"] == "failed"
        after = await retry(api, post, platforms=naming(second))
        assert [platform["status"] for platform in after["platforms"]] == ["failed", "published"]
        assert after["status"] == "partial"
        assert (await retry(api, post))["status"] == "published"
        assert len(await stack.public(post["content"])) == 2

    async def test_contradictory_corrections_are_refused(self, api: Client, stack: Stack) -> None:
        other = await stack.connect("mastodon")
        post = await refused(api, stack, words("choice"), other)
        plain = naming(stack.accounts["plain"])
        for body, status, code, param in (
            ({"platforms": []}, 400, "invalid_field_value", "platforms"),
            ({"platforms": plain * 2}, 400, "duplicate_target", "platforms.1.accountId"),
            ({"platforms": [{"platform": "twitter"}]}, 400, "missing_required_field", "platforms.0.accountId"),
            ({"platform": "twitter"}, 400, "unknown_parameter", "platform"),
            ({"platforms": naming(stack.accounts["instagram"])}, 422, "account_not_found", "platforms.0.accountId"),
            ({"platforms": [*plain, *naming(other)]}, 409, "nothing_to_retry", "platforms.1.accountId"),
        ):
            answer = await api.post(f"/v1/posts/{post['id']}/retry", json=body)
            problem = answer.json()
            assert (answer.status_code, problem["code"], problem["param"]) == (status, code, param)
        assert (await api.get(f"/v1/posts/{post['id']}")).json() == post


class TestHeld:
    async def held(self, api: Client, account: Account, content: str) -> dict[str, Any]:
        post = await make(api, account, content=content)
        assert post["platforms"][0]["status"] == "held"
        assert post["platforms"][0]["hint"]
        return post

    async def test_held_post_publishes_its_changed_content(self, api: Client, stack: Stack) -> None:
        account, old, new = await stack.revoked("twitter"), words("held"), words("changed while held")
        post = await self.held(api, account, old)
        after = await patch(api, post, {"content": new})
        assert (after["status"], after["platforms"][0]["status"]) == ("publishing", "held")
        await stack.reconnect(account)
        assert (await patch(api, post, {"tags": ["again"]}))["status"] == "published"
        assert (len(await stack.public(old)), len(await stack.public(new))) == (0, 1)

    async def test_held_post_accepts_its_own_body(self, api: Client, stack: Stack) -> None:
        post = await self.held(api, await stack.revoked("twitter"), words("sent back"))
        after = await patch(api, post, post)
        assert (after["status"], after["scheduledFor"]) == ("publishing", None)

    async def test_is_given_another_time(self, api: Client, stack: Stack) -> None:
        account = await stack.revoked("twitter")
        post = await self.held(api, account, words("held and moved"))
        after = await patch(api, post, {"scheduledFor": DISTANT})
        (target,) = after["platforms"]
        assert (after["status"], target["status"]) == ("scheduled", "pending")
        assert not {"error", "hint", "holdReason"} & target.keys()
        await stack.reconnect(account)
        assert (await patch(api, post, {"publishNow": True}))["status"] == "published"
        assert len(await stack.public(post["content"])) == 1

    async def test_becomes_a_draft(self, api: Client, stack: Stack) -> None:
        account = await stack.revoked("twitter")
        post = await self.held(api, account, words("held and taken back"))
        assert (await patch(api, post, {"isDraft": True}))["status"] == "draft"
        await stack.reconnect(account)
        assert (await patch(api, post, {"publishNow": True}))["status"] == "published"
        assert len(await stack.public(post["content"])) == 1

    async def test_moves_to_another_account(self, api: Client, stack: Stack) -> None:
        account = await stack.revoked("twitter")
        post = await self.held(api, account, words("held and sent elsewhere"))
        after = await patch(api, post, {"platforms": naming(stack.accounts["plain"])})
        assert after["status"] == "published"
        assert len(await stack.public(post["content"])) == 1

    async def test_held_target_beside_a_published_one_is_corrected(self, api: Client, stack: Stack) -> None:
        account, new = await stack.revoked("twitter"), words("own")
        post = await make(api, account, stack.accounts["plain"], content=words("one held"))
        held, public = post["platforms"]
        assert (held["status"], public["status"]) == ("held", "published")
        await patch(api, post, {"content": "another"}, 409)
        after = await patch(api, post, {"platforms": [{**held, "customContent": new}, public]})
        assert [platform["status"] for platform in after["platforms"]] == ["held", "published"]
        await stack.reconnect(account)
        await stack.client.get_workflow_handle((await stack.read(post["id"])).workflow_id).signal("release")
        assert (await stack.settled(post["id"])).status == "published"
        assert len(await stack.public(new)) == 1

    async def test_retry_says_that_it_is_held(self, api: Client, stack: Stack) -> None:
        post = await self.held(api, await stack.revoked("twitter"), words("held, not failed"))
        answer = await api.post(f"/v1/posts/{post['id']}/retry")
        assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_retry")
        assert "Held targets" in answer.json()["error"]
