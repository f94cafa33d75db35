"""Pages, roles, products and comments on LinkedIn over real HTTP."""

import asyncio
import itertools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platforms.base import Absent, PublishContext, Unknown
from platforms.codes import known_codes
from platforms.errors import DUPLICATE, ErrorKind
from platforms.linkedin import PLATFORM, media, platform
from platforms.linkedin.errors import FORBIDDEN_MEDIUM, NO_MEMBERS, NO_PAGES, read_error, repeated_urn
from platforms.linkedin.lookup import published
from platforms.linkedin.platform import FORBIDDEN_TRIES
from platforms.linkedin.rules import little
from sandbox.platforms.linkedin import shown
from tests.platforms.error_shapes import linkedin
from tests.platforms.post_steps import publish, refused
from tests.platforms.rig import Connect, Rig
from tests.platforms.steps.test_follow_up import PLATFORMS as COMMENTS

PAGE = "urn:li:organization:5515715"
_pages = itertools.count(1000)


@pytest.fixture(autouse=True)
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(media, "GRACE", timedelta())


@pytest.fixture
def page() -> dict[str, Any]:
    """Return settings for a page that no other test uses: LinkedIn refuses a repeated text for minutes."""
    return {"organizationUrn": f"urn:li:organization:{next(_pages)}"}


@pytest.fixture
async def li(connect: Connect) -> Rig:
    return await connect("linkedin")


def ago(context: PublishContext[Any], minutes: float) -> None:
    context.started_at = datetime.now(UTC) - timedelta(minutes=minutes)
    context.handles[platform.SENT_AT] = context.started_at.isoformat()


async def test_a_page_is_an_account_of_its_own_where_the_member_runs_it(li: Rig, connect: Connect) -> None:
    own = f"urn:li:organization:{li.account.user_id}"
    li.stored = li.stored.model_copy(update={"organization_urn": own})
    identity = await PLATFORM.whoami(li.connection())
    assert (identity.user_id, identity.username) == (
        f"organization-{li.account.user_id}",
        f"{li.account.username}'s page",
    )
    stranger = await connect("linkedin", credentials={"organizationUrn": PAGE})
    assert (await refused(PLATFORM.whoami(stranger.connection()))).kind is ErrorKind.AUTH


async def test_a_mention_is_written_as_linkedin_knows_it(li: Rig) -> None:
    await publish(li, li.context(f"Thanks @[Acme Inc.]({PAGE})!"))
    assert (await li.posts())[0]["text"] == "Thanks Acme Inc.!"


@pytest.mark.parametrize("thumbnail", [None, "card.jpg"])
async def test_an_article_shows_its_given_fields(li: Rig, thumbnail: str | None) -> None:
    article: dict[str, Any] = {"source": "https://example.com/a", "title": "A page", "description": "Read it"}
    if thumbnail:
        article["thumbnail"] = li.sandbox.media(thumbnail).url
    context = li.context("Look", settings={"article": article})
    assert PLATFORM.prepares(context.draft) is bool(thumbnail)
    await publish(li, context)
    feed = await li.sandbox.control("GET", "feed?platform=linkedin&count=1")
    assert feed["cards"][0]["note"] == "A page · https://example.com/a"


async def test_an_article_can_be_left_out(li: Rig) -> None:
    article = {"source": "https://example.com/a", "title": "A page", "thumbnail": "https://cdn.example.com/card.jpg"}
    context = li.context("Look", settings={"article": article, "disableLinkPreview": True})
    assert not PLATFORM.prepares(context.draft)
    await publish(li, context)
    assert (await li.sandbox.control("GET", "feed?platform=linkedin&count=1"))["cards"][0]["note"] is None


class TestFirstComment:
    async def test_an_app_without_the_product_for_comments_writes_them_by_the_older_api(
        self, li: Rig, page: dict[str, Any]
    ) -> None:
        await li.sandbox.switch_on("linkedin", "no_comments_product", li.account.account_id)
        result = await publish(li, li.context("Post", settings={"firstComment": "And more", **page}))
        assert result.warning is None
        assert await COMMENTS["linkedin"].below(li, result) == ["And more"]

    async def test_a_comment_that_may_be_public_is_not_sent_again_by_the_older_api(
        self, li: Rig, page: dict[str, Any]
    ) -> None:
        await li.sandbox.switch_on("linkedin", "no_comments_product", li.account.account_id)
        await li.sandbox.fault("linkedin", "accept_then_drop", "edit")
        result = await publish(li, li.context("Post", settings={"firstComment": "And more", **page}))
        assert "not known" in (result.warning or "")
        assert await COMMENTS["linkedin"].below(li, result) == []

    async def test_comments_that_are_not_allowed_at_all_say_which_permission_is_missing(self, li: Rig) -> None:
        await li.sandbox.switch_on("linkedin", "no_comments", li.account.account_id)
        result = await publish(li, li.context("Post", settings={"firstComment": "And more"}))
        assert "w_member_social_feed" in (result.warning or "")


class TestLostAnswers:
    async def test_a_post_that_repeats_an_older_one_is_refused(self, li: Rig) -> None:
        first = await publish(li, li.context("The same"))
        # In another millisecond: LinkedIn's ids tell no more.
        await asyncio.sleep(0.01)
        error = await refused(publish(li, li.context("The same")))
        assert (error.kind, error.code) == (ErrorKind.REJECTED, DUPLICATE)
        assert first.platform_post_id in error.message
        assert platform.SENT_AT not in li.saved[-1]

    async def test_a_post_that_linkedin_refused_and_then_has_is_not_called_a_repeat(self, li: Rig) -> None:
        context = li.context("Limited, and public", started_at=datetime.now(UTC))
        limited = {"status": 429, "code": "TOO_MANY_REQUESTS", "message": "Resource level throttle"}
        await li.sandbox.fault("linkedin", "accept_then_answer", "publish", status=429, body=limited)
        refusal = await refused(PLATFORM.publish(li.connection(), context))
        assert (refusal.kind, platform.SENT_AT in context.handles) == (ErrorKind.RATE_LIMITED, False)
        repeat = await refused(PLATFORM.publish(li.connection(), context))
        assert (repeat.kind, repeat.code) == (ErrorKind.UNCONFIRMED, DUPLICATE)
        assert await PLATFORM.confirm(li.connection(), context) == Absent(is_unread=True)
        result = await PLATFORM.publish(li.connection(), context)
        assert [post["platformPostId"] for post in await li.posts()] == [result.platform_post_id]

    async def test_a_repeat_of_a_post_that_was_made_since_the_first_send_is_ours(self, li: Rig) -> None:
        """A proxy may send a request twice, and a retry does not have the handles of the first send."""
        context = li.context("Named as a repeat", started_at=datetime.now(UTC))
        await li.sandbox.fault("linkedin", "accept_then_drop", "publish")
        await refused(PLATFORM.publish(li.connection(), context))
        context.handles.clear()
        repeat = await refused(PLATFORM.publish(li.connection(), context))
        assert (repeat.kind, repeat.code) == (ErrorKind.UNCONFIRMED, DUPLICATE)
        assert await PLATFORM.confirm(li.connection(), context) == Absent(is_unread=True)
        result = await PLATFORM.publish(li.connection(), context)
        assert [post["platformPostId"] for post in await li.posts()] == [result.platform_post_id]

    async def test_nothing_is_sent_once_linkedin_may_have_forgotten(self, li: Rig) -> None:
        context = li.context("Long ago")
        ago(context, 9)
        assert await PLATFORM.confirm(li.connection(), context) == Unknown(final=True)
        assert (await refused(PLATFORM.publish(li.connection(), context))).kind is ErrorKind.UNCONFIRMED
        assert await li.operations() == []

    async def test_a_page_can_be_read_at_any_time(self, li: Rig, page: dict[str, Any]) -> None:
        context = li.context("Long ago", settings=page)
        ago(context, 9)
        assert await PLATFORM.confirm(li.connection(), context) == Absent()
        await PLATFORM.publish(li.connection(), context)
        ago(context, 9)
        finding = await PLATFORM.confirm(li.connection(), context)
        assert finding == published((await li.posts())[0]["platformPostId"])

    async def test_a_page_that_may_not_be_read_is_asked_by_repeating(self, li: Rig, page: dict[str, Any]) -> None:
        context = li.context("Unreadable", settings=page, started_at=datetime.now(UTC))
        await li.sandbox.fault("linkedin", "accept_then_drop", "publish")
        await refused(PLATFORM.publish(li.connection(), context))
        await li.sandbox.fault("linkedin", "reject", "confirm", status=403, body={"status": 403})
        assert await PLATFORM.confirm(li.connection(), context) == Absent(is_unread=True)
        result = await PLATFORM.publish(li.connection(), context)
        assert [post["platformPostId"] for post in await li.posts()] == [result.platform_post_id]

    async def test_older_posts_are_not_taken_for_ours(self, li: Rig, page: dict[str, Any]) -> None:
        await publish(li, li.context("Older", settings=page))
        later = li.context("Older", settings=page)
        ago(later, -5)
        assert await PLATFORM.confirm(li.connection(), later) == Absent()


class TestConditions:
    @pytest.mark.parametrize("condition", ["content_administrator", "many_roles"])
    async def test_every_role_that_may_post_can_connect_the_page(self, li: Rig, condition: str) -> None:
        await li.sandbox.switch_on("linkedin", condition, li.account.account_id)
        own = f"urn:li:organization:{li.account.user_id}"
        li.stored = li.stored.model_copy(update={"organization_urn": own})
        assert (await PLATFORM.whoami(li.connection())).user_id == f"organization-{li.account.user_id}"

    async def test_a_page_is_not_said_to_have_a_post_that_linkedin_only_names(
        self, li: Rig, page: dict[str, Any]
    ) -> None:
        await li.sandbox.switch_on("linkedin", "ghosts", li.account.account_id)
        context = li.context("A ghost", settings=page)
        await publish(li, context)
        error = await refused(PLATFORM.publish(li.connection(), context))
        assert (error.kind, error.code) == (ErrorKind.UNCONFIRMED, "repeats_a_ghost")

    @pytest.mark.parametrize(
        "text",
        ["Read (this) *twice* #here", f"Thanks @[Acme]({PAGE}), see https://example.com/a?b=c#d"],
    )
    async def test_a_page_finds_its_post_however_linkedin_writes_the_text(
        self, li: Rig, page: dict[str, Any], text: str
    ) -> None:
        await li.sandbox.switch_on("linkedin", "commentary_rewritten", li.account.account_id)
        context = li.context(text, settings=page)
        result = await publish(li, context)
        assert await PLATFORM.confirm(li.connection(), context) == result

    async def test_media_that_are_forbidden_for_a_moment_refuse_no_account(self, li: Rig) -> None:
        context = li.context("Soon", [li.sandbox.media("a.jpg")])
        await PLATFORM.prepare(li.connection(), context)
        await li.sandbox.switch_on("linkedin", "media_forbidden", li.account.account_id)
        error = await refused(PLATFORM.publish(li.connection(), context))
        assert (error.kind, error.code, error.retry_after) == (ErrorKind.NOT_READY, FORBIDDEN_MEDIUM, None)
        await li.sandbox.clear_conditions("linkedin")
        assert (await PLATFORM.publish(li.connection(), context)).platform_post_id

    async def test_media_that_stay_forbidden_are_the_posts_fault(self, li: Rig) -> None:
        context = li.context("Never", [li.sandbox.media("a.jpg")])
        await PLATFORM.prepare(li.connection(), context)
        await li.sandbox.switch_on("linkedin", "media_forbidden", li.account.account_id)
        kinds = [(await refused(PLATFORM.publish(li.connection(), context))).kind for _ in range(FORBIDDEN_TRIES)]
        assert kinds == [ErrorKind.NOT_READY] * (FORBIDDEN_TRIES - 1) + [ErrorKind.REJECTED]
        assert li.saved[-1]["media"] == {}

    async def test_media_that_are_said_to_have_failed_while_they_are_processed_are_kept(self, li: Rig) -> None:
        context = li.context("Patience", [li.sandbox.media("a.jpg")])
        await PLATFORM.prepare(li.connection(), context)
        uploaded = context.handles["media"]["0"]["urn"]
        await li.sandbox.switch_on("linkedin", "still_processing", li.account.account_id)
        error = await refused(PLATFORM.publish(li.connection(), context))
        assert (error.kind, error.status) == (ErrorKind.NOT_READY, 400)
        await li.sandbox.clear_conditions("linkedin")
        assert context.handles["media"]["0"]["urn"] == uploaded
        assert (await PLATFORM.publish(li.connection(), context)).platform_post_id

    async def test_an_app_without_the_product_for_pages_posts_for_members(self, li: Rig) -> None:
        page = {"organizationUrn": f"urn:li:organization:{li.account.user_id}"}
        await li.sandbox.switch_on("linkedin", "no_page_product", li.account.account_id)
        by_page, by_member = li.context("By a page", settings=page), li.context("By a member")
        error = await refused(publish(li, by_page))
        assert (error.kind, error.status, error.code) == (ErrorKind.OPERATOR, 403, NO_PAGES)
        applies = [PLATFORM.refusal_applies(NO_PAGES, li.stored, context.draft) for context in (by_page, by_member)]
        assert applies == [True, False]
        as_page = li.stored.model_copy(update={"organization_urn": PAGE})
        assert PLATFORM.refusal_applies(NO_PAGES, as_page, by_member.draft)
        assert PLATFORM.refusal_applies("NONEXISTENT_VERSION", li.stored, by_member.draft)
        assert (await publish(li, by_member)).url

    @pytest.mark.parametrize("as_page", [False, True])
    async def test_an_app_that_may_upload_no_videos_posts_everything_else(self, li: Rig, as_page: bool) -> None:
        page = {"organizationUrn": f"urn:li:organization:{li.account.user_id}"}
        await li.sandbox.switch_on("linkedin", "no_video_product", li.account.account_id)
        settings = page if as_page else {}
        video = li.context("A video", [li.sandbox.media("a.mp4")], settings=settings)
        error = await refused(publish(li, video))
        who = "pages" if as_page else "members"
        assert (error.kind, error.status, error.code) == (ErrorKind.OPERATOR, 403, f"no_product_videos_for_{who}")
        image = li.context("An image", [li.sandbox.media("a.jpg")], settings=settings)
        of_others = li.context("A video", video.draft.media, settings={} if as_page else page)
        applies = [
            PLATFORM.refusal_applies(error.code, li.stored, context.draft) for context in (video, image, of_others)
        ]
        assert applies == [True, False, False]
        assert known_codes(error.code).code == "app_refused"
        assert (await publish(li, image)).url

    async def test_a_video_of_a_page_that_the_member_does_not_administer_stops_no_other(self, li: Rig) -> None:
        page = {"organizationUrn": f"urn:li:organization:{li.account.user_id}"}
        for condition in ("organisation", "content_administrator", "no_video_product"):
            await li.sandbox.switch_on("linkedin", condition, li.account.account_id)
        error = await refused(publish(li, li.context("A video", [li.sandbox.media("a.mp4")], settings=page)))
        assert (error.kind, error.code) == (ErrorKind.REJECTED, "no_video_role")
        assert "administrator" in error.message
        assert known_codes(error.code).code == "platform_refused"
        error = await refused(publish(li, li.context("A member's video", [li.sandbox.media("a.mp4")])))
        assert (error.kind, error.code) == (ErrorKind.OPERATOR, "no_product_videos_for_members")

    async def test_an_app_without_the_product_waits_for_the_operator(self, li: Rig) -> None:
        await li.sandbox.switch_on("linkedin", "app_refused", li.account.account_id)
        error = await refused(publish(li, li.context("Not granted")))
        assert (error.kind, error.status, error.code) == (ErrorKind.OPERATOR, 403, NO_MEMBERS)
        assert not PLATFORM.refusal_applies(
            NO_MEMBERS, li.stored, li.context("", settings={"organizationUrn": PAGE}).draft
        )
        assert (await PLATFORM.whoami(li.connection())).user_id == li.account.user_id


class TestOrganisation:
    """A member with roles on three pages, only two of which let the member post."""

    @pytest.fixture(params=[False, True], ids=["named", "as a product"])
    async def member(self, li: Rig, request: pytest.FixtureRequest) -> Rig:
        """Connect a member whose missing roles LinkedIn reports by field, or as for apps without the product."""
        await li.sandbox.switch_on("linkedin", "organisation", li.account.account_id)
        if request.param:
            await li.sandbox.switch_on("linkedin", "roles_as_products", li.account.account_id)
        return li

    @pytest.mark.parametrize(("page", "taken"), [("own", True), ("201", True), ("202", False), ("203", False)])
    async def test_a_page_with_a_role_that_may_post_can_be_connected(self, member: Rig, page: str, taken: bool) -> None:
        number = member.account.user_id if page == "own" else page
        member.stored = member.stored.model_copy(update={"organization_urn": f"urn:li:organization:{number}"})
        if taken:
            assert (await PLATFORM.whoami(member.connection())).user_id == f"organization-{number}"
        else:
            assert (await refused(PLATFORM.whoami(member.connection()))).code == "no_role"

    @pytest.mark.parametrize("names", [[], ["a.jpg"]])
    @pytest.mark.parametrize(("number", "taken"), [("201", True), ("202", False), ("203", False)])
    async def test_a_page_named_by_a_post_is_refused_as_an_error_of_the_post(
        self, member: Rig, number: str, taken: bool, names: list[str]
    ) -> None:
        settings = {"organizationUrn": f"urn:li:organization:{number}"}
        items = [member.sandbox.media(name) for name in names]
        context = member.context(f"For {number} {names} by {member.account.user_id}", items, settings=settings)
        if taken:
            assert (await publish(member, context)).url
            return
        error = await refused(publish(member, context))
        assert (error.kind, error.status) == (ErrorKind.REJECTED, 403)
        assert settings["organizationUrn"] in error.message
        assert await member.posts() == []

    async def test_a_lost_page_of_the_account_is_an_error_of_the_account(self, member: Rig) -> None:
        member.stored = member.stored.model_copy(update={"organization_urn": "urn:li:organization:203"})
        assert (await refused(publish(member, member.context("Role lost")))).kind is ErrorKind.AUTH


URN = "urn:li:share:6844785523593134080"


def test_a_duplicate_names_the_post_that_is_there() -> None:
    assert repeated_urn(read_error(linkedin(422, words=f"Content is a duplicate of {URN}")[0])) == URN
    assert repeated_urn(read_error(linkedin(422, words=f"See {URN}")[0])) is None


def test_a_quota_of_a_day_is_waited_for_until_midnight() -> None:
    error = read_error(linkedin(429, words="Resource level throttle limit for calls to this resource is reached.")[0])
    assert error.retry_after is not None
    resumes = datetime.now(UTC) + error.retry_after
    assert (resumes - timedelta(minutes=1)).strftime("%H:%M") in {"00:00", "23:59"}


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("plain", "plain"),
        ("a (b) c", r"a \(b\) c"),
        ("#launch!", r"{hashtag|\#|launch}!"),
        ("C# and #1", r"C\# and \#1"),
        ("https://e.com/#top", r"https://e.com/\#top"),
        ("#a_b", r"\#a\_b"),
        (f"@[Acme]({PAGE})", f"@[Acme]({PAGE})"),
        ("@[Acme](https://e.com)", r"\@\[Acme\]\(https://e.com\)"),
        ("back\\slash", r"back\\slash"),
    ],
)
def test_reserved_characters_are_escaped(text: str, written: str) -> None:
    assert little(text) == written


@given(st.text(alphabet=st.one_of(st.sampled_from(r"\|{}@[]()<>#*_~ab1 "), st.characters(codec="utf-8"))))
def test_every_text_reads_as_it_was_written(text: str) -> None:
    assert shown(little(text)) == text
