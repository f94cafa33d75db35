"""The dialogs of the calendar page: their subject, their words, and how they wait."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from litestar import Litestar
from sqlalchemy import text

from tests.api.clients.calendar_rows import fill_calendar
from tests.api.clients.test_calendar_page import _CLICK, calendar_page, key_of_client
from tests.api.conftest import Client
from tests.cli.browser import program
from tests.stack import Stack

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.thorough,
    pytest.mark.skipif(program() is None, reason="Chromium is not installed (Debian's package chromium)"),
]
_SUBJECTS = """JSON.stringify([document.querySelector("dialog select").selectedOptions[0].textContent,
  [...document.querySelectorAll("dialog form button.main")].map((button) => button.textContent)])"""


async def test_a_dialog_begins_with_the_subject_of_the_page(
    app: Litestar, stack: Stack, stranger: Client, tmp_path: Path
) -> None:
    """Each dialog, under each filter, with two campaigns and two accounts that are all paused, the others first."""
    campaigns, accounts = {}, {}
    for name in ("Alpha launch", "Beta embargo"):
        body = {"name": name, "isDraft": False, "timezone": "UTC"}
        campaigns[name] = (await stranger.post("/v1/campaigns", json=body)).json()["id"]
        key = {"Idempotency-Key": name}
        assert (await stranger.post(f"/v1/campaigns/{campaigns[name]}/pause", json={}, headers=key)).status_code == 200
    for platform in ("mastodon", "twitter"):
        account = await stack.connect(platform, workspace_id=stranger.workspace_id)
        named = {"platform": account.platform, "accountId": account.id}
        assert (await stranger.post("/v1/pauses", json={"scope": "account", **named})).status_code == 201
    for entry in (await stranger.get("/v1/accounts")).json()["accounts"]:
        label = {"twitter": "X", "mastodon": "Mastodon"}[entry["platform"]]
        accounts[f"{entry['username']} ({label})"] = entry["accountId"]
    filters = {
        "all posts": "",
        **{name: f"&campaignId={id_}" for name, id_ in campaigns.items()},
        **{name: f"&accountId={id_}" for name, id_ in accounts.items()},
    }
    words = {"pause": "Pause ", "share": "Create a view of ", "resume": "Resume "}
    async with calendar_page(app, key_of_client(stranger), tmp_path) as calendar:
        for is_paused in (False, True):
            if is_paused:
                assert (await stranger.post("/v1/pauses", json={"scope": "workspace"})).status_code == 201
            for subject, query in filters.items():
                await calendar.open(f"timezone=UTC&view=list{query}")
                await calendar.wait("accounts.size === 2 && Object.keys(campaigns).length === 2")
                for dialog, word in words.items():
                    await calendar.page.evaluate(_CLICK.format(dialog))
                    if dialog == "resume" and subject == "all posts" and not is_paused:
                        # Four pauses, and the page shows the posts of all: a person chooses.
                        assert await calendar.read(_SUBJECTS) == ["Choose a pause", []]
                        continue
                    await calendar.wait("document.querySelector('dialog form button.main')")
                    assert await calendar.read(_SUBJECTS) == [subject, [word + subject]], (dialog, query)


async def test_no_dialog_speaks_to_programs(app: Litestar, stack: Stack, stranger: Client, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    first = now.replace(day=1, hour=8)
    await fill_calendar(stack, stranger.workspace_id, first, count=14, step=timedelta(hours=1))
    skip = "UPDATE posts SET skip_reason = 'paused' WHERE status = 'draft' AND workspace_id = :id"
    lost = (
        "UPDATE targets SET status = 'unconfirmed', error_code = 'answer_lost' WHERE position = 0 AND post_id IN"
        " (SELECT id FROM posts WHERE status = 'failed' AND workspace_id = :id ORDER BY id LIMIT 1)"
    )
    async with stack.database.transaction() as session:
        for statement in (skip, lost):
            await session.execute(text(statement), {"id": stranger.workspace_id})
    async with calendar_page(app, key_of_client(stranger), tmp_path) as calendar:
        await calendar.open(f"timezone=UTC&view=list&date={first.date()}")
        seen = set()
        dialogs = [f"document.querySelectorAll('.tile')[{number}].click()" for number in range(14)]
        dialogs += ["document.getElementById('pause').click()", "document.getElementById('share').click()"]
        for click in dialogs:
            await calendar.page.evaluate(f"document.getElementById('dialog').close(); {click}")
            await calendar.wait("document.querySelector('dialog h3, dialog form')")
            shown = await calendar.page.evaluate("document.getElementById('dialog').innerText")
            shown = shown.replace("twitter_acme", "acme").replace("mastodon_acme", "acme")
            assert not _FOR_PROGRAMS.search(shown), shown
            assert not await calendar.page.evaluate("document.querySelectorAll('dialog code').length")
            if "\nDraft" in shown:
                assert "Waiting for its time" not in shown
            seen |= {words for words in _FOR_PEOPLE if words in shown}
        assert seen == _FOR_PEOPLE
        await calendar.page.evaluate("document.getElementById('dialog').close()")
        planned = (await stranger.get("/v1/posts?status=draft")).json()["posts"][0]
        await calendar.page.evaluate(f"document.querySelector('[data-post=\"{planned['id']}\"]').click()")
        await calendar.wait("document.querySelector('dialog input')")
        await calendar.page.evaluate(
            "document.querySelector('dialog input').value = '2020-01-01T09:30';"
            "document.querySelector('dialog form button').click()"
        )
        await calendar.page.shows("The time is more than 5 minutes in the past")


_FOR_PROGRAMS = re.compile(r"/v1/|PATCH|POST|scheduledFor|publishNow|[a-z]+_[a-z0-9]+|[a-z][A-Z]")
_FOR_PEOPLE = {"A pause skipped it", "try it again there", "look at the account", "when the reason is gone"}


async def test_a_busy_service_is_waited_for_quietly(app: Litestar, stranger: Client, tmp_path: Path) -> None:
    await stranger.send_post({"content": "After a rest", "scheduledFor": "2027-05-04T09:00:00Z", "isDraft": True})
    async with calendar_page(app, key_of_client(stranger), tmp_path) as calendar:
        await calendar.open("view=list&date=2027-04-01&timezone=UTC")
        await calendar.page.evaluate("""
          window.read = ""; window.busy = 3; const real = window.fetch;
          new MutationObserver(() => { window.read += document.getElementById("problem").textContent; })
            .observe(document.getElementById("problem"), {childList: true});
          window.fetch = (...request) => window.busy-- > 0 ? Promise.resolve(new Response('{"error": "Please wait"}',
            {status: 429, headers: {"Retry-After": "1"}})) : real(...request); 0""")
        await calendar.page.press("ArrowRight")
        await calendar.page.shows("After a rest")
        assert await calendar.page.evaluate("window.busy") < 0
        assert await calendar.page.evaluate("window.read") == ""
