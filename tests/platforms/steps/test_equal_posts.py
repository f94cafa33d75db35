"""Equal posts of one account: the same post is never found for two targets, and a refused repeat is not a failure."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import pytest

from platforms.base import PublishContext, Published
from platforms.errors import DUPLICATE, ErrorKind
from tests.platforms.forms import FORMS, Form, quick
from tests.platforms.post_steps import lost, publish, refused
from tests.platforms.rig import Connect, Rig

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
