"""Whatever happens to the request that makes a post public, the post is public once at most, and is found if it is."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest

from platforms.base import Absent, Finding, PublishContext, Published, Unknown
from platforms.errors import ErrorKind, PlatformError
from tests.platforms.drafts import REQUIRED
from tests.platforms.forms import EVENT, FIRST, FORMS, Form, quick
from tests.platforms.post_steps import lost, publish, ready, refused, resumed
from tests.platforms.rig import NO_TLS, Connect, Rig

__all__ = ["quick"]

LATER = timedelta(minutes=12)
"""After this long every platform lists what it published."""


@dataclass(frozen=True)
class Fault:
    """A failure of the public request: its error, and whether the post is public nevertheless."""

    name: str
    kind: ErrorKind = ErrorKind.UNCONFIRMED
    arrives: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.name


LOST = [Fault("drop"), Fault("accept_then_drop", arrives=True)]
OTHERS = [
    Fault("accept_then_500", arrives=True),
    Fault("reject", more={"status": 503}),
    Fault("accept_then_delay", arrives=True, more={"seconds": 0.6}),
    Fault("rate_limited", ErrorKind.RATE_LIMITED, more={"seconds": 120}),
    Fault("token_expired", ErrorKind.AUTH),
    Fault("unreachable", ErrorKind.TRANSIENT),
]
RENEWED = {"bluesky-token_expired"}
"""Cases in which a session is renewed without a refresh token, so that nothing fails; see test_token_renewal.py."""
CASES = [
    (form, fault)
    for forms, faults in ((FORMS, LOST), (FIRST, OTHERS))
    for form in forms
    for fault in faults
    if f"{form}-{fault}" not in RENEWED
]
WAITS = {"googlebusiness": 60, "linkedin": None, "threads": None, "tiktok": 60}
"""The seconds after which to come back, if they are not those that the fault names; None: none are reported."""
SAFE_TO_REPEAT = {"bluesky", "discord", "facebook", "instagram", "linkedin", "mastodon", "threads", "youtube"}
"""Platforms that make no second post of an attempt, because of its key, its container or its session."""


class Unreachable(httpx.AsyncHTTPTransport):
    """A way to servers that refuse every connection."""

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        request.url = request.url.copy_with(host="127.0.0.1", port=1)
        return await super().handle_async_request(request)


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("form", "fault"), CASES, ids=str)
async def test_never_twice(connect: Connect, monkeypatch: pytest.MonkeyPatch, form: Form, fault: Fault) -> None:
    rig = await form.open(connect)
    context = await ready(rig, form.context(rig))
    client = httpx.AsyncClient(transport=Unreachable(verify=NO_TLS)) if fault.name == "unreachable" else None
    if client is None:
        await rig.sandbox.fault(form.platform, fault.name, "publish", **fault.more)
    with monkeypatch.context() as patch:
        if fault.name == "accept_then_delay":
            patch.setattr("platforms.http.timeouts.for_body", lambda _: httpx.Timeout(0.3))
        error = await refused(rig.platform.publish(rig.connection(client), context))
    assert error.kind is fault.kind
    if fault.name == "rate_limited":
        assert asks_to_wait(error, WAITS.get(form.platform, fault.more["seconds"]))

    context = resumed(rig, context)
    finding: Finding = Absent()
    if fault.kind is ErrorKind.UNCONFIRMED:
        before = len(rig.exchanges)
        finding = await rig.platform.confirm(rig.connection(), context)
        if finding == Unknown() and not fault.arrives:
            assert context.started_at
            context.started_at -= LATER
            finding = await rig.platform.confirm(rig.connection(), context)
        if form.confirmed == "never":
            assert (finding, len(rig.exchanges)) == (Unknown(final=True), before)
        elif fault.arrives and form.confirmed == "by confirm":
            assert isinstance(finding, Published)
        else:
            absent = Absent(is_unread=form.confirmed == "by repeating")
            assert finding == (absent if form.ruled_out else Unknown())
    if isinstance(finding, Absent):
        finding = await publish(rig, context)
    posts = await rig.posts()
    assert len(posts) == (fault.arrives or isinstance(finding, Published))
    if isinstance(finding, Published):
        assert finding.platform_post_id == posts[0]["platformPostId"]
        assert (await rig.platform.complete(rig.connection(), context, finding)).url


def asks_to_wait(error: PlatformError, seconds: float | None) -> bool:
    """Return whether an error says to come back after so many seconds, or nothing if None."""
    if error.retry_after is None or seconds is None:
        return error.retry_after is None and seconds is None
    return abs(error.retry_after.total_seconds() - seconds) < 2


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(
    "form", [form for form in FORMS if form.platform in SAFE_TO_REPEAT and form.confirmed != "never"], ids=str
)
async def test_a_worker_that_repeats_a_post_makes_no_second_one(connect: Connect, form: Form) -> None:
    rig = await form.open(connect)
    context = form.context(rig)
    assert (await lost(rig, context)).kind is ErrorKind.UNCONFIRMED
    with contextlib.suppress(PlatformError):
        await publish(rig, resumed(rig, context))
    assert len(await rig.posts()) == 1


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("form", [form for form in FIRST if form.confirmed != "never"], ids=str)
async def test_a_post_that_was_never_sent_is_absent_without_a_request(connect: Connect, form: Form) -> None:
    rig = await form.open(connect)
    before = len(rig.exchanges)
    assert await rig.platform.confirm(rig.connection(), form.context(rig)) == Absent()
    assert len(rig.exchanges) == before


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("form", [form for form in FIRST if form.confirmed == "by confirm"], ids=str)
async def test_an_older_post_of_the_same_words_is_not_ours(connect: Connect, form: Form) -> None:
    rig = await form.open(connect)
    await publish(rig, form.context(rig))
    later = await ready(rig, form.context(rig))
    later.started_at = datetime.now(UTC) + timedelta(minutes=10)
    assert await rig.platform.confirm(rig.connection(), later) in (Absent(), Unknown())


PHOTO, OTHER_PHOTO, TEXT_ONLY = ("a.jpg",), ("b.jpg",), ()
PAGE = {"organizationUrn": "urn:li:organization:4711"}
ONE, LINKED = {"title": "One"}, {"title": "One", "link": "https://example.com"}
TITLED, POLL = {"embeds": [{"title": "Yesterday"}]}, {"question": "Tea?", "options": ["Yes", "No"]}
DIFFERING: list[tuple[str, tuple[Any, ...], tuple[Any, ...], Finding]] = [
    ("discord", (TEXT_ONLY, {"poll": {**POLL, "question": "Milk?"}}), (TEXT_ONLY, {"poll": POLL}), Absent()),
    ("discord", (TEXT_ONLY, {}), (TEXT_ONLY, {"poll": POLL}), Absent()),
    ("discord", (TEXT_ONLY, {}), (PHOTO, {}), Absent()),
    ("discord", (TEXT_ONLY, TITLED), (TEXT_ONLY, {"embeds": [{"title": "Today"}]}), Unknown()),
    ("facebook", (PHOTO, {}), (OTHER_PHOTO, {}), Absent()),
    ("facebook", (TEXT_ONLY, {}), (PHOTO, {}), Absent()),
    ("googlebusiness", (TEXT_ONLY, {"event": EVENT}), (TEXT_ONLY, {}), Absent()),
    ("googlebusiness", (TEXT_ONLY, {"event": EVENT}), (TEXT_ONLY, {"event": {**EVENT, "title": "Another"}}), Absent()),
    ("linkedin", (PHOTO, PAGE), (OTHER_PHOTO, PAGE), Absent()),
    ("pinterest", (PHOTO, ONE), (PHOTO, {}), Absent()),
    ("pinterest", (PHOTO, ONE), (PHOTO, LINKED), Absent()),
    ("pinterest", (PHOTO, {"boardId": "99"}), (PHOTO, {}), Absent()),
    ("twitter", (PHOTO, {}), (TEXT_ONLY, {}), Absent()),
    ("twitter", (PHOTO, {}), (OTHER_PHOTO, {}), Unknown()),
]
"""Two posts of the same words, and what is known of the second one if only the first one is public."""


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize(("platform", "published", "searched", "finding"), DIFFERING)
async def test_a_post_that_differs_is_not_ours(
    connect: Connect, platform: str, published: tuple[Any, ...], searched: tuple[Any, ...], finding: Finding
) -> None:
    rig = await connect(platform)
    public, missing = (attempt(rig, "Alike", *names, **settings) for names, settings in (published, searched))
    await publish(rig, public)
    assert (await lost(rig, missing, "drop")).kind is ErrorKind.UNCONFIRMED
    assert await rig.platform.confirm(rig.connection(), missing) == finding


def attempt(rig: Rig, text: str, *names: str, **settings: Any) -> PublishContext[Any]:
    media = [rig.sandbox.media(name) for name in names]
    return rig.context(text, media, settings={**REQUIRED.get(rig.platform.name, {}), **settings})


@pytest.mark.parametrize(
    ("platform", "module", "names", "place"),
    [
        # Discord lists the oldest messages after an id.
        ("discord", "platform", (), 8),
        ("googlebusiness", "platform", (), 0),
        ("mastodon", "lookup", (), 0),
        ("pinterest", "platform", ("a.jpg",), 0),
        ("twitter", "lookup", (), 0),
    ],
)
async def test_a_busy_account_is_searched_page_by_page_and_not_without_end(
    connect: Connect, monkeypatch: pytest.MonkeyPatch, platform: str, module: str, names: tuple[str, ...], place: int
) -> None:
    monkeypatch.setattr(f"platforms.{platform}.{module}.PAGE", 5)
    rig = await connect(platform)
    contexts = [attempt(rig, f"number {number}", *names) for number in range(9)]
    contexts[place].started_at = datetime.now(UTC)
    posts = [await publish(rig, context) for context in contexts]
    context, published = contexts[place], posts[place]
    context.handles.pop("post", None)
    finding = await rig.platform.confirm(rig.connection(), context)
    assert isinstance(finding, Published)
    assert finding.platform_post_id == published.platform_post_id
    monkeypatch.setattr(f"platforms.{platform}.{module}.MOST_PAGES", 1)
    assert await rig.platform.confirm(rig.connection(), context) == Unknown()
