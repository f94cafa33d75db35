"""The choice among an account's posts: equal, similar and changed texts."""

import asyncio
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from platforms.base import Absent, Finding, PublishContext, Published, Unknown
from platforms.errors import DUPLICATE, ErrorKind
from platforms.steps.matching import (
    Likeness,
    MatchingPost,
    earliest_unclaimed,
    is_too_long,
    likeness,
    verdict,
)
from tests.platforms.forms import FORMS, Form, quick
from tests.platforms.post_steps import lost, publish, refused
from tests.platforms.rig import NO_TLS, Connect, Rig

NOW = datetime.now(UTC)
NEWEST_FIRST = [MatchingPost(Published(name, None), NOW - timedelta(minutes=age)) for name, age in (("c", 1), ("b", 2))]


@pytest.mark.parametrize(
    ("taken", "expected"), [((), "b"), (("b",), "c"), (("c",), "b"), (("b", "c"), None), (("a",), "b")]
)
async def test_the_earliest_that_is_free_is_taken(
    connect: Connect, taken: tuple[str, ...], expected: str | None
) -> None:
    context = (await connect("twitter")).context("words")
    context.taken = frozenset(taken)
    chosen = earliest_unclaimed(context, NEWEST_FIRST)
    assert (chosen and chosen.platform_post_id) == expected


async def test_a_post_made_after_the_request_had_ended_is_another(connect: Connect) -> None:
    context = (await connect("twitter")).context("words")
    for minutes, expected in ((0, "b"), (2.5, "b"), (3.5, None)):
        context.ended_at = NOW - timedelta(minutes=minutes)
        chosen = earliest_unclaimed(context, NEWEST_FIRST)
        assert (chosen and chosen.platform_post_id) == expected


@pytest.mark.parametrize(
    ("sent", "shown", "too_long"),
    [("", "", False), ("", "x" * 20_000, False), ("", "x" * 20_001, True), ("x" * 500, "x" * 220_001, True)],
)
def test_a_text_may_grow_by_its_markup_only(sent: str, shown: str, too_long: bool) -> None:
    assert is_too_long(shown, sent) is too_long


def test_a_text_of_nothing_but_tags_is_not_too_long() -> None:
    """Of all that Mastodon marks up, a tag of one letter grows most; a host's name has up to 253 characters."""
    address = f"https://{'h' * 253}/tags/x"
    tag = (
        f'<a href="{address}" class="mention hashtag" rel="nofollow noopener tag" target="_blank">#<span>x</span></a> '
    )
    assert not is_too_long(tag * 1000, "#x " * 1000)


SENT = "Our sale, with @ada and friends 🎉 \U0001f44d\U0001f3fd starts: see https://shop.example/summer?from=post &more"
WORDS = st.text(st.characters(categories=["L", "N"]), min_size=1, max_size=12)
TEXTS = st.lists(WORDS, min_size=4, max_size=30)


@pytest.mark.parametrize(
    "shown",
    [
        SENT.replace("https://shop.example/summer?from=post", "https://t.example/aB3"),
        SENT.replace("https://shop.example/summer?from=post", "shop.example/summ…"),
        SENT.replace("https://shop.example/summer?from=post", ""),
        SENT.replace("@ada", "Ada Lovelace"),
        SENT.replace("@ada", "@[Ada Lovelace](urn:li:person:1)"),
        SENT.replace("@ada", "@ada@social.example"),
        SENT.replace("🎉", ":tada:"),
        SENT.replace("🎉", "").replace("\U0001f3fd", ""),
        SENT.replace("&", "&amp;"),
        SENT.replace("starts", "STARTS"),
        SENT[:40] + "…",
        SENT[:40] + "...",
        SENT.removesuffix("&more"),
        f"Ada's shop: {SENT}",
    ],
)
def test_a_text_that_a_platform_has_changed_resembles_what_was_sent(shown: str) -> None:
    assert likeness(shown, SENT) is Likeness.RESEMBLES


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("Day 1 of our sale. Coats are cheap.", "Day 2 of our sale. Boots are cheap."),
        ("Day 1 of our sale. https://shop.example/1", "Day 2 of our sale. https://shop.example/1"),
        ("Good morning @ada", "Good night @ada"),
        (SENT, "Our sale ends…"),
        (SENT, ""),
        ("", SENT),
    ],
)
def test_another_text_of_the_account_does_not_resemble(sent: str, shown: str) -> None:
    assert likeness(shown, sent) is Likeness.OTHER


@pytest.mark.parametrize(
    ("sent", "shown"), [("🎉", ""), ("https://shop.example/1", "https://t.example/aB3"), ("♥", "♥\ufe0f")]
)
def test_a_text_without_words_may_be_any_other_without_words(sent: str, shown: str) -> None:
    assert likeness(shown, sent) is Likeness.RESEMBLES


@given(TEXTS, st.data())
def test_a_text_whose_words_are_trimmed_or_continued_resembles(words: list[str], data: st.DataObject) -> None:
    sent = " ".join(words)
    assert likeness("\n".join(words), sent) is Likeness.SAME
    fewer = data.draw(st.lists(st.sampled_from(range(len(words))), max_size=len(words) // 4, unique=True))
    trimmed = [word for place, word in enumerate(words) if place not in fewer]
    for shown in (" ".join(trimmed), f"{sent} https://link.example", f"{sent[: len(sent) // 2].rstrip()}…"):
        assert likeness(shown, sent) is not Likeness.OTHER
        assert likeness(sent, " ".join(trimmed)) is not Likeness.OTHER


@given(TEXTS, TEXTS)
def test_texts_of_which_each_has_words_of_its_own_do_not_resemble(words: list[str], others: list[str]) -> None:
    mine, theirs = " ".join([*words, "unique"]), " ".join([*others, "alone"])
    assert likeness(mine, theirs) is Likeness.OTHER


@pytest.mark.parametrize(
    ("likenesses", "is_whole", "expected"),
    [
        ([Likeness.SAME, Likeness.RESEMBLES], False, Published("0", None)),
        ([Likeness.OTHER, Likeness.RESEMBLES], True, Unknown()),
        ([Likeness.OTHER], True, Absent()),
        ([Likeness.OTHER], False, Unknown()),
    ],
)
async def test_a_post_is_absent_only_if_nothing_resembles_it(
    connect: Connect, likenesses: list[Likeness], is_whole: bool, expected: Finding
) -> None:
    context = (await connect("twitter")).context("words")
    posts = [MatchingPost(Published(str(number), None), NOW, like) for number, like in enumerate(likenesses)]
    assert verdict(context, posts, since=NOW, is_whole=is_whole) == expected
    context.taken = frozenset(post.post.platform_post_id for post in posts)
    assert verdict(context, posts, since=NOW) == Absent()
    context.taken = frozenset()
    assert verdict(context, posts, since=NOW + timedelta(hours=1)) == Absent()


ADDRESS, TEXT = "https://example.com/autumn?from=us", "The boats are back: https://example.com/autumn?from=us"
TEXT_ALONE = {"subreddit": "test", "title": "Read this"}
CHANGED_FORMS = [
    Form("facebook"),
    Form("googlebusiness"),
    Form("reddit", settings=TEXT_ALONE),
    Form("reddit", settings={"subreddit": "test", "title": TEXT}, text=""),
]


@dataclass
class Changing(httpx.AsyncBaseTransport):
    """The sandbox, which shows one part of each text in another way."""

    old: str
    new: str
    sandbox: httpx.AsyncHTTPTransport = field(default_factory=partial(httpx.AsyncHTTPTransport, verify=NO_TLS))

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self.sandbox.handle_async_request(request)
        body = (await answer.aread()).replace(self.old.encode(), self.new.encode())
        await answer.aclose()
        return httpx.Response(answer.status_code, headers={"content-type": "application/json"}, content=body)

    async def aclose(self) -> None:
        await self.sandbox.aclose()


@pytest.mark.parametrize("form", CHANGED_FORMS, ids=str)
@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (ADDRESS, "https://example.com/autumn?from=us", Published),
        (ADDRESS, "https://l.example/x7Gh2", Unknown),
        (ADDRESS, "", Unknown),
        (f"back: {ADDRESS}", "…", Unknown),
        ("The boats are back", "Nobody came to the harbour", Absent),
    ],
)
async def test_post_whose_text_is_shown_in_another_way_is_not_absent(
    connect: Connect, form: Form, old: str, new: str, expected: type
) -> None:
    rig = await form.open(connect)
    context = form.context(rig, TEXT if form.text else "")
    await lost(rig, context)
    async with httpx.AsyncClient(transport=Changing(old, new)) as client:
        finding = await rig.platform.confirm(rig.connection(client), context)
    assert isinstance(finding, expected)
    assert len(await rig.posts()) == 1


pytestmark = pytest.mark.usefixtures("quick")
__all__ = ["quick"]

REFUSES_REPEATS = [form for form in FORMS if form.platform in {"facebook", "linkedin", "twitter"} and not form.media]
FOUND = [form for form in FORMS if form.confirmed != "by repeating" and not form.size]


async def sent_without_answer(rig: Rig, form: Form) -> PublishContext[Any]:
    """Send a post whose response is lost."""
    context = form.context(rig)
    context.started_at = datetime.now(UTC)
    assert (await lost(rig, context)).kind is ErrorKind.UNCONFIRMED
    if "session" in context.handles:
        # YouTube may lose the session that names the video.
        context.handles["session"]["url"] = context.handles["session"]["url"].replace("upload_id=", "upload_id=gone")
    return context


@pytest.mark.parametrize("form", FOUND, ids=str)
async def test_confirm_never_returns_the_post_of_another_target(connect: Connect, form: Form) -> None:
    rig = await form.open(connect)
    attempts = [await sent_without_answer(rig, form) for _ in range(2)]
    public = {post["platformPostId"] for post in await rig.posts()}
    assert len(public) == (1 if form in REFUSES_REPEATS or "url" in form.settings else 2)
    assert all(rig.platform.rules.post_id.matches(post_id) for post_id in public), "a person may name every public post"
    confirmed: list[str] = []
    for context in attempts:
        context.taken = frozenset(confirmed)
        finding = await rig.platform.confirm(rig.connection(), context)
        confirmed += [finding.platform_post_id] if isinstance(finding, Published) else []
    assert len(confirmed) == len(set(confirmed))
    assert set(confirmed) == (set() if form.confirmed == "never" else public)


@pytest.mark.parametrize("form", REFUSES_REPEATS, ids=str)
async def test_a_second_post_of_the_same_words_is_refused(connect: Connect, form: Form) -> None:
    rig = await form.open(connect)
    await publish(rig, form.context(rig))
    # LinkedIn's id has the time in milliseconds: a post of the same one may be that of the second send.
    await asyncio.sleep(0.01)
    error = await refused(publish(rig, form.context(rig)))
    assert (error.kind, error.code) == (ErrorKind.REJECTED, DUPLICATE)
    assert len(await rig.posts()) == 1


COMPARED = [
    form
    for form in FORMS
    if form.platform in {"discord", "linkedin", "pinterest", "twitter", "youtube"}
    and form.confirmed == "by confirm"
    and not form.size
    # A page's post that shows other uploads than ours is another.
    and not (form.platform == "linkedin" and form.media)
]
SIMILAR = "The harbour opens at nine, see https://harbour.example/hours?from=post for the tides"
OTHER = "Yesterday's storm took three boats"


async def sent(rig: Rig, form: Form, text: str) -> PublishContext[Any]:
    """Send a post whose request is lost, as if the platform changed its text afterwards."""
    context = form.context(rig, text)
    context.started_at = datetime.now(UTC)
    await lost(rig, context, "drop")
    if "session" in context.handles:
        # YouTube may lose the session that names the video.
        context.handles["session"]["url"] = context.handles["session"]["url"].replace("upload_id=", "upload_id=gone")
    return context


@pytest.mark.parametrize("form", COMPARED, ids=str)
async def test_a_post_whose_text_the_platform_changed_is_not_absent(connect: Connect, form: Form) -> None:
    rig = await form.open(connect)
    context = await sent(rig, form, SIMILAR)
    similar = form.context(rig, f"{SIMILAR} and the weather".replace("https://harbour.example/hours?from=post", ""))
    other = form.context(rig, OTHER)
    await publish(rig, other)
    if not form.media or form.platform != "discord":
        assert await rig.platform.confirm(rig.connection(), context) == Absent()
    done = await publish(rig, similar)
    assert await rig.platform.confirm(rig.connection(), context) == Unknown()
    taken = replace(context, taken=frozenset(post["platformPostId"] for post in await rig.posts()))
    assert done.platform_post_id in taken.taken
    assert await rig.platform.confirm(rig.connection(), taken) == Absent()
