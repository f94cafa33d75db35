"""Well-formed responses about another account's post: they never make a post published."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import httpx
import pytest

from platforms.base import Published
from platforms.errors import ErrorKind, PlatformError
from tests.platforms.forms import FORMS, Form, quick
from tests.platforms.post_steps import lost, ready
from tests.platforms.rig import Connect, Rig
from tests.platforms.steps.test_matching import sent_without_answer
from tests.platforms.test_hostile_answers import Altering, raw

__all__ = ["quick"]

READ = [form for form in FORMS if form.confirmed == "by confirm"]
NAMELESS = {
    "instagram": "the response to a publication is an id, and a list of posts names no owner",
    "linkedin": "the response is a URN in a header",
    "reddit": "the response names the post and its subreddit",
    "threads": "the response to a publication is an id, and a list of posts names no owner",
    "tiktok": "the state of a post names neither it nor its owner, and a list of videos names no owner",
    "twitter": "the response is an id and a text, in which X has shortened the links",
}
"""Platforms whose responses do not always say whose post they are about. Then the row's claim is all that is left:
no post belongs to two targets of an account (tests/activities)."""


class Recorded(Altering):
    """The sandbox, whose responses are recorded; foreign ones are sent instead of its own."""

    def __init__(self, foreign: Iterable[httpx.Response] = ()) -> None:
        super().__init__()
        self.foreign = list(foreign)
        self.answers: list[httpx.Response] = []

    def altered(self, status: int, body: bytes, headers: dict[str, str]) -> httpx.Response:
        if self.foreign:
            other = self.foreign.pop(0)
            return httpx.Response(other.status_code, headers=other.headers, content=other.content)
        self.answers.append(httpx.Response(status, headers=raw(headers), content=body))
        return httpx.Response(status, headers=raw(headers), content=body)


async def outcome(step: Any) -> Any:
    try:
        return await step
    except PlatformError as error:
        return error


def own_form(rig: Rig, form: Form) -> Form:
    board = {"boardId": rig.account.user_id} if form.platform == "pinterest" else {}
    return replace(form, settings={**form.settings, **board})


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("form", READ, ids=str)
async def test_another_accounts_post_is_not_found_for_ours(connect: Connect, form: Form) -> None:
    theirs, ours = await form.open(connect), await form.open(connect)
    other = await sent_without_answer(theirs, own_form(theirs, form))
    recorded = Recorded()
    assert isinstance(await theirs.platform.confirm(theirs.connection(recorded), other), Published)  # type: ignore[arg-type]
    context = own_form(ours, form).context(ours)
    await lost(ours, context, "drop")
    if "gone" in other.handles.get("session", {}).get("url", ""):
        context.handles["session"]["url"] = context.handles["session"]["url"].replace("upload_id=", "upload_id=gone")
    server = Recorded(recorded.answers)
    finding = await outcome(ours.platform.confirm(ours.connection(server), context))  # type: ignore[arg-type]
    await recorded.aclose()
    await server.aclose()
    assert isinstance(finding, Published) is (form.platform == "tiktok")


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("form", FORMS, ids=str)
async def test_another_accounts_post_does_not_answer_our_request(connect: Connect, form: Form) -> None:
    theirs, ours = await form.open(connect), await form.open(connect)
    other = await ready(theirs, own_form(theirs, form).context(theirs))
    context = await ready(ours, own_form(ours, form).context(ours))
    recorded = Recorded()
    assert await outcome(theirs.platform.publish(theirs.connection(recorded), other))  # type: ignore[arg-type]
    server = Recorded(recorded.answers)
    finding = await outcome(ours.platform.publish(ours.connection(server), context))  # type: ignore[arg-type]
    await recorded.aclose()
    await server.aclose()
    is_story = (form.platform, form.settings.get("contentType")) == ("facebook", "story")
    if form.platform not in NAMELESS and not is_story:
        assert isinstance(finding, PlatformError)
        assert finding.kind in {ErrorKind.UNCONFIRMED, ErrorKind.TRANSIENT}
