"""Failures of requests beside the public one: an unreadable answer proves nothing, an error says what to do."""

from typing import Any

import pytest

from platforms.errors import ErrorKind
from tests.platforms.forms import FIRST, FORMS, TEXT, Form, quick
from tests.platforms.post_steps import ready, refused
from tests.platforms.rig import Connect

__all__ = ["quick"]

ME = {"id": "1"}
PIN = {"items": [{"id": "1", "title": "Landed", "description": TEXT, "link": None}], "bookmark": None}
SENDS_AT_ONCE = {"discord", "googlebusiness", "telegram"}
"""Platforms whose files are part of the public request, or are fetched after it."""
LISTS: dict[str, list[list[Any]]] = {
    "bluesky": [["<html>"], [{}]],
    "discord": [["<html>"], [ME, "<html>"], [ME, {"message": "?"}], [ME, [1]], [ME, [{"content": "Hi"}]]],
    "facebook": [["<html>"], [{"error": "none"}], [{"data": None}]],
    "googlebusiness": [["<html>"], [[]], ["null"]],
    "instagram": [[{"status_code": "PUBLISHED"}, "<html>"]],
    "linkedin": [["<html>"], [{}], [{"elements": None}]],
    "mastodon": [["<html>"], [{"error": "x"}], [["x"]]],
    "pinterest": [["<html>"], [{}], [PIN]],
    "reddit": [["<html>"], [{}], [{"data": {}}]],
    "threads": [[{"status": "PUBLISHED"}, "<html>"]],
    "tiktok": [["<html>"], [{}]],
    "twitter": [["<html>"], [{}], [{"data": {}}], [{"data": [], "errors": []}]],
}
"""Answers with status 200 to the requests of `confirm`, in their order; the last one cannot be read."""
READABLE = [form for form in FIRST if form.confirmed == "by confirm" and form.platform in LISTS]
UPLOADED = {form.platform: form for form in reversed(FORMS) if form.media and form.platform not in SENDS_AT_ONCE}
UPLOADED["pinterest"] = next(form for form in FORMS if form.platform == "pinterest" and form.media == ("a.mp4",))
RENEWED = {("bluesky", "token_expired")}
PASSING = {"token_expired": ErrorKind.AUTH, "rate_limited": ErrorKind.RATE_LIMITED, "drop": ErrorKind.TRANSIENT}


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("form", READABLE, ids=str)
async def test_an_unreadable_list_is_no_proof_of_absence(connect: Connect, form: Form) -> None:
    rig = await form.open(connect)
    context = await ready(rig, form.context(rig))
    await rig.platform.publish(rig.connection(), context)
    for answers in LISTS[form.platform]:
        for body in answers:
            await rig.sandbox.fault(form.platform, "reject", "confirm", status=200, body=body)
        error = await refused(rig.platform.confirm(rig.connection(), context))
        assert (answers, error.kind) == (answers, ErrorKind.TRANSIENT)
        await rig.sandbox.control("DELETE", "faults")


@pytest.mark.parametrize("fault", PASSING)
@pytest.mark.parametrize("form", READABLE, ids=str)
@pytest.mark.usefixtures("quick")
async def test_a_failed_confirmation_has_the_kind_of_its_cause(connect: Connect, form: Form, fault: str) -> None:
    rig = await form.open(connect)
    context = await ready(rig, form.context(rig))
    await rig.platform.publish(rig.connection(), context)
    await rig.sandbox.fault(form.platform, fault, "confirm")
    assert (await refused(rig.platform.confirm(rig.connection(), context))).kind is PASSING[fault]


@pytest.mark.parametrize(
    ("form", "fault"),
    [(form, fault) for form in UPLOADED.values() for fault in PASSING if (form.platform, fault) not in RENEWED],
    ids=str,
)
@pytest.mark.usefixtures("quick")
async def test_a_failed_preparation_has_the_kind_of_its_cause(connect: Connect, form: Form, fault: str) -> None:
    rig = await form.open(connect)
    await rig.sandbox.fault(form.platform, fault, "prepare")
    assert (await refused(ready(rig, form.context(rig)))).kind is PASSING[fault]


@pytest.mark.parametrize("form", FIRST, ids=str)
async def test_an_account_is_named_by_its_id_and_its_name(connect: Connect, form: Form) -> None:
    rig = await form.open(connect)
    who = await rig.platform.whoami(rig.connection())
    assert rig.account.user_id in who.user_id
    assert rig.account.username in who.username


@pytest.mark.parametrize("form", [form for form in FIRST if form.account != "page"], ids=str)
async def test_an_answer_without_an_identity_is_asked_again(connect: Connect, form: Form) -> None:
    rig = await form.open(connect)
    await rig.sandbox.fault(form.platform, "reject", "auth", status=200, body="<html>Hello</html>")
    error = await refused(rig.platform.whoami(rig.connection()))
    assert error.kind is ErrorKind.TRANSIENT
