"""The page /calendar in Chromium: what it shows, and what people do with it."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from litestar import Litestar

from tests.api.clients.barriers import check, fits, read_axe
from tests.api.clients.calendar_rows import fill_calendar
from tests.api.conftest import Client
from tests.cli.browser import Page, browser, program
from tests.serving import listening
from tests.stack import Stack

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.thorough,
    pytest.mark.skipif(program() is None, reason="Chromium is not installed (Debian's package chromium)"),
]
_READY = "document.body?.dataset.ready === 'true'"
# The times in the cells of the month, by the dates that are announced.
_CELLS = """JSON.stringify(Object.fromEntries([...document.querySelectorAll("#month td")].map((cell) =>
  [cell.querySelector(".number .away").textContent,
   [...cell.querySelectorAll(".tile b")].map((time) => time.textContent)])
  .filter(([, times]) => times.length)))"""
_CLICK = "document.getElementById('dialog').close(); document.getElementById('{}').click()"
_FOCUSED = "document.activeElement.textContent.trim()"


class CalendarPage:
    """A tab with the calendar of one workspace."""

    def __init__(self, page: Page, url: str, key: str) -> None:
        self.page = page
        self.url = url
        self.key = key

    async def open(self, query: str) -> None:
        """Open the calendar and wait until it shows its posts."""
        await self.page.open(f"{self.url}/docs")
        await self.page.evaluate(f"sessionStorage.setItem('key', {json.dumps(self.key)})")
        await self.page.open(f"{self.url}/calendar?{query}")
        await self.wait(_READY)

    async def wait(self, condition: str, seconds: float = 60) -> None:
        """Wait until an expression is true."""
        async with asyncio.timeout(seconds):
            while not await self.page.evaluate(f"Boolean({condition})"):  # noqa: ASYNC110 the page has no event for us
                await asyncio.sleep(0.05)

    async def read(self, expression: str) -> Any:
        """Return the value of an expression that writes JSON."""
        return json.loads(await self.page.evaluate(expression))


@asynccontextmanager
async def calendar_page(app: Litestar, key: str, folder: Path) -> AsyncIterator[CalendarPage]:
    async with listening(app) as url, browser(folder) as page:
        await page.resize(1280, 900)
        yield CalendarPage(page, url, key)


def key_of_client(client: Client) -> str:
    return client.headers["Authorization"].removeprefix("Bearer ")


@pytest.mark.parametrize(
    ("zone", "changes"),
    [
        ("Europe/Berlin", ("2027-03-28", "2027-10-31")),
        ("America/New_York", ("2027-03-14", "2027-11-07")),
        ("Australia/Lord_Howe", ("2027-10-03", "2027-04-04")),
    ],
)
async def test_a_month_has_each_post_on_its_day_when_clocks_change(
    app: Litestar, stranger: Client, tmp_path: Path, zone: str, changes: tuple[str, str]
) -> None:
    for day in changes:
        for time in ("00:00", "12:00", "23:59"):
            body = {"content": f"{day} {time}", "scheduledFor": f"{day}T{time}:00", "timezone": zone, "isDraft": True}
            assert (await stranger.send_post(body)).status_code == 201
    async with calendar_page(app, key_of_client(stranger), tmp_path) as calendar:
        for day in changes:
            await calendar.open(f"view=month&date={day}&timezone={zone}")
            cells = await calendar.read(_CELLS)
            name = datetime.fromisoformat(day).strftime("%-d %B")
            assert cells == {name: ["00:00", "12:00", "23:59"]}
            # The day that the browser's own clock would show is another one.
            await calendar.open(f"view=list&date={day}&timezone={zone}")
            assert await calendar.page.evaluate(f"document.querySelectorAll('#day-{day} .tile').length") == 3


async def test_ten_thousand_posts_are_shown_in_part(
    app: Litestar, stack: Stack, stranger: Client, tmp_path: Path
) -> None:
    first = datetime(2027, 2, 1, tzinfo=UTC)
    await fill_calendar(stack, stranger.workspace_id, first, count=10_000, step=timedelta(minutes=4))
    async with calendar_page(app, key_of_client(stranger), tmp_path) as calendar:
        await calendar.open("view=month&date=2027-02-01&timezone=UTC")
        text = await calendar.page.text()
        assert "+357 more" in text
        assert "10,000 posts in UTC" in text
        # One request for the page, and one for the calendar, before it is painted.
        requests = await calendar.read(
            "JSON.stringify(performance.getEntriesByType('resource').map((entry) => new URL(entry.name).pathname))"
        )
        assert requests[0] == "/v1/calendar"
        assert set(requests[1:]) <= {"/v1/accounts", "/v1/calendar", "/v1/campaigns", "/v1/events"}
        await calendar.page.evaluate("document.querySelector('.many').focus(); document.querySelector('.many').click()")
        await calendar.wait(f"{_READY} && document.getElementById('list')")
        assert await calendar.page.evaluate("document.querySelectorAll('.tile').length") == 360
        # The button is gone, so the focus is where the posts are.
        assert await calendar.page.evaluate("document.activeElement.id") == "main"
        await calendar.page.press("l")
        await calendar.wait(f"{_READY} && document.querySelectorAll('.tile').length === 28 * 50")
        assert "310 more posts" in await calendar.page.text()
        # Whatever is left out has a way to it.
        await calendar.page.evaluate("[...document.querySelectorAll('#list .many')].at(1).click()")
        await calendar.wait(f"{_READY} && document.querySelectorAll('.tile').length === 360")
        await calendar.page.press("ArrowRight")
        await calendar.page.shows("3 February 2027", "360 posts in UTC")


async def test_a_day_with_too_many_posts_offers_a_filter(
    app: Litestar, stack: Stack, stranger: Client, tmp_path: Path
) -> None:
    first = datetime(2027, 2, 1, tzinfo=UTC)
    await fill_calendar(stack, stranger.workspace_id, first, count=1_003, step=timedelta(minutes=1))
    async with calendar_page(app, key_of_client(stranger), tmp_path) as calendar:
        await calendar.open("view=day&date=2027-02-01&timezone=UTC")
        assert "3 more posts: choose a filter" in await calendar.page.text()
        await calendar.page.evaluate("document.querySelector('#list .many').click()")
        assert await calendar.page.evaluate("document.activeElement.name") == "status"


async def test_free_slots_and_blackouts_are_shown_beside_posts(app: Litestar, stranger: Client, tmp_path: Path) -> None:
    first = (datetime.now(UTC).replace(day=1) + timedelta(days=62)).date().replace(day=1)
    slots = [{"days": ["mo", "tu", "we", "th", "fr", "sa", "su"], "time": "09:00"}]
    closed = [{"from": first.isoformat(), "to": first.isoformat(), "reason": "audit"}]
    queue = {"name": "Mornings", "timezone": "UTC", "slots": slots, "blackouts": closed}
    assert (await stranger.post("/v1/queues", json=queue)).status_code == 201
    asides = (
        "JSON.stringify([...document.querySelectorAll('{}')].slice(0, 2).map((place) =>"
        " [...place.querySelectorAll('.aside')].map((aside) => aside.textContent)))"
    )
    async with calendar_page(app, key_of_client(stranger), tmp_path) as calendar:
        for view, place in (("month", "#month td:not(.other)"), ("list", "#list section")):
            await calendar.open(f"view={view}&date={first}&timezone=UTC")
            shown = await calendar.read(asides.format(place))
            assert shown == [["Blackout of Mornings: audit"], ["09:00 Free slot of Mornings"]], view


async def test_texts_are_shown_as_text_and_changes_appear(
    app: Litestar, stack: Stack, stranger: Client, tmp_path: Path
) -> None:
    account = await stack.connect("mastodon", workspace_id=stranger.workspace_id)
    bold = "<b>not bold</b><img src=x onerror=alert(1)>"
    body = {
        "content": bold,
        "platforms": [{"platform": account.platform, "accountId": account.id}],
        "scheduledFor": "2027-05-04T09:00:00",
        "timezone": "Asia/Tokyo",
        "isDraft": True,
    }
    post = (await stranger.send_post(body)).json()
    async with calendar_page(app, key_of_client(stranger), tmp_path) as calendar:
        await calendar.open("view=list&date=2027-05-01&timezone=Europe/Berlin&status=draft")
        assert "02:00" in (text := await calendar.page.text())
        assert bold in text
        assert await calendar.page.evaluate("document.querySelectorAll('main b, main img').length") == 0
        # An unchanged calendar is not sent again, and a change appears without a reload.
        await calendar.page.evaluate("window.same = document.querySelector('.tile')")
        await stranger.patch(f"/v1/posts/{post['id']}", json={"content": "changed elsewhere"})
        # A text has no event. Who returns to the page sees it without waiting.
        await calendar.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
        await calendar.page.shows("changed elsewhere")
        await calendar.page.evaluate("document.querySelector('.tile').click()")
        await calendar.page.shows("Time in Asia/Tokyo", "Post of 4 May 2027")
        await calendar.page.evaluate(
            "document.querySelector('dialog input').value = '2027-05-05T09:30';"
            "document.querySelector('dialog form button').click()"
        )
        await calendar.page.shows("It is scheduled for 2027-05-05, 09:30:00")
        assert (await stranger.get(f"/v1/posts/{post['id']}")).json()["scheduledFor"] == "2027-05-05T00:30:00Z"
        await calendar.page.evaluate("document.getElementById('dialog').close()")
        await calendar.page.shows("No posts in these days.")


async def test_an_event_changes_the_page(app: Litestar, stack: Stack, stranger: Client, tmp_path: Path) -> None:
    account = await stack.connect("mastodon", workspace_id=stranger.workspace_id)
    body = {
        "platforms": [{"platform": account.platform, "accountId": account.id}],
        "scheduledFor": "2027-05-04T09:00:00Z",
    }
    view = (await stranger.post("/v1/calendar/views", json={"show": "title"})).json()
    durations = """JSON.stringify(performance.getEntriesByType("resource")
      .filter((entry) => entry.name.includes("/v1/calendar?")).map((entry) => entry.duration))"""
    async with calendar_page(app, key_of_client(stranger), tmp_path) as calendar:
        for text, token in (("Seen with a key", ""), ("Seen in a view", f"#view={view['token']}")):
            await calendar.open(f"view=list&date=2027-05-01&timezone=UTC{token}")
            assert (await stranger.send_post(body | {"content": text})).status_code == 201
            await calendar.page.shows(text)
            assert max(await calendar.read(durations)) < 20_000, "a request had waited to its end"


async def test_a_pause_is_shown_and_ended(app: Litestar, stack: Stack, stranger: Client, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    await fill_calendar(
        stack,
        stranger.workspace_id,
        now - timedelta(hours=3),
        count=3,
        step=timedelta(hours=1),
        statuses=("publishing",),
    )
    async with calendar_page(app, key_of_client(stranger), tmp_path) as calendar:
        await calendar.open("timezone=UTC")
        assert not await calendar.page.evaluate("document.getElementById('resume').checkVisibility()")
        await calendar.page.evaluate("document.getElementById('pause').click()")
        await calendar.page.shows("What you pause is not published until you resume")
        await calendar.page.evaluate(
            "document.querySelector('dialog input').value = 'Press embargo';"
            "document.querySelector('dialog form button').click()"
        )
        await calendar.page.shows("Paused until you resume: all posts", "All posts are paused since", "Press embargo")
        await calendar.page.evaluate(_CLICK.format("resume"))
        await calendar.page.shows("3 posts fell due meanwhile.", "by an API key: Press embargo")
        await calendar.page.evaluate("document.querySelector('input[value=skip]').click()")
        await calendar.page.shows("This would do: 0 posts published, 0 moved, 3 skipped.")
        assert (await stranger.get("/v1/pauses")).json()["pauses"][0]["endedAt"] is None
        await calendar.page.evaluate("[...document.querySelectorAll('dialog form button')].at(-1).click()")
        await calendar.page.shows("Resumed. 0 posts published, 0 moved, 3 skipped.")
        await calendar.wait("!document.getElementById('resume').checkVisibility()")


async def test_the_keyboard_is_enough(app: Litestar, stranger: Client, tmp_path: Path) -> None:
    body = {"content": "By keyboard", "scheduledFor": "2027-05-04T09:00:00Z", "isDraft": True}
    await stranger.send_post(body)
    async with calendar_page(app, key_of_client(stranger), tmp_path) as calendar:
        page = calendar.page
        await calendar.open("view=month&date=2027-04-01&timezone=UTC")
        await page.press("ArrowRight")
        await calendar.wait(f"{_READY} && document.getElementById('title').textContent === 'May 2027'")
        for _ in range(40):
            await page.press("Tab")
            if "By keyboard" in await page.evaluate(_FOCUSED):
                break
        assert "09:00" in await page.evaluate(_FOCUSED)
        await page.press("Enter")
        await page.shows("Time in UTC")
        assert await page.evaluate("document.activeElement.closest('dialog') !== null")
        # Letters write in a dialog and do not turn the page.
        await page.press("l")
        await page.press("Escape")
        await calendar.wait("!document.getElementById('dialog').open")
        assert "By keyboard" in await page.evaluate(_FOCUSED)
        for key, condition in (
            ("l", "document.getElementById('list')"),
            ("m", "document.getElementById('month')"),
            ("ArrowLeft", "document.getElementById('title').textContent === 'April 2027'"),
            ("t", f"document.getElementById('title').textContent === '{datetime.now(UTC):%B %Y}'"),
        ):
            await page.press(key)
            await calendar.wait(f"{_READY} && {condition}")
        await page.evaluate("history.back()")
        await calendar.wait(f"{_READY} && document.getElementById('title').textContent === 'April 2027'")


async def test_no_barrier_at_any_width(app: Litestar, stack: Stack, stranger: Client, tmp_path: Path) -> None:
    axe = await read_axe()
    await fill_calendar(stack, stranger.workspace_id, datetime(2027, 2, 1, tzinfo=UTC))
    await stranger.post("/v1/pauses", json={"scope": "workspace", "reason": "Press embargo"})
    async with calendar_page(app, key_of_client(stranger), tmp_path) as calendar:
        page = calendar.page
        await page.open(f"{calendar.url}/calendar")
        await page.shows("API key")
        await check(page, axe)
        for view in ("month", "list"):
            await page.resize(1280, 900)
            await calendar.open(f"view={view}&date=2027-02-01&timezone=UTC")
            await check(page, axe)
            # 400 % of a window of 1,280 pixels.
            await page.resize(320, 256)
            assert await page.evaluate("document.documentElement.scrollWidth") <= 320
            await page.evaluate("document.querySelector('.tile.partial').click()")
            await page.shows("Accounts")
            assert await page.evaluate("document.getElementById('dialog').scrollWidth") <= 320
            await check(page, axe)
            for button, words in (("pause", "Nothing fails meanwhile"), ("resume", "fell due meanwhile")):
                await page.evaluate(_CLICK.format(button))
                await page.shows(words)
                await check(page, axe)
            await page.evaluate("document.getElementById('dialog').close()")
            await fits(page)


async def test_a_narrow_page_begins_with_the_list_and_nothing_moves(
    app: Litestar, stranger: Client, tmp_path: Path
) -> None:
    moving = """[...document.querySelectorAll("*")].filter((element) => {
      const style = getComputedStyle(element);
      return style.transitionDuration !== "0s" || style.animationName !== "none" || style.scrollBehavior === "smooth";
    }).length"""
    async with calendar_page(app, key_of_client(stranger), tmp_path) as calendar:
        await calendar.page.resize(390, 800)
        await calendar.open("timezone=UTC")
        assert await calendar.page.evaluate("document.getElementById('list') !== null")
        await calendar.page.prefer(prefers_reduced_motion="reduce")
        assert await calendar.page.evaluate(moving) == 0


async def test_a_wrong_key_is_asked_for_again(app: Litestar, tmp_path: Path) -> None:
    async with calendar_page(app, f"sk_{'a' * 43}", tmp_path) as calendar:
        await calendar.open("timezone=UTC")
        await calendar.page.shows("Whose calendar?", "Invalid API key")
        assert not await calendar.page.evaluate("document.getElementById('pause').checkVisibility()")


async def test_a_view_shows_its_posts_until_it_is_revoked(
    app: Litestar, stack: Stack, stranger: Client, tmp_path: Path
) -> None:
    await fill_calendar(stack, stranger.workspace_id, datetime(2027, 2, 1, tzinfo=UTC))
    async with calendar_page(app, key_of_client(stranger), tmp_path) as calendar:
        page = calendar.page
        await calendar.open("view=list&date=2027-02-01&timezone=UTC")
        await page.evaluate(_CLICK.format("share"))
        await page.shows("Everybody who has its address can read the calendar")
        await page.evaluate("document.querySelector('dialog form button').click()")
        await page.shows("Copy the addresses now")
        addresses = await calendar.read(
            "JSON.stringify([...document.querySelectorAll('dialog input[readonly]')].map((field) => field.value))"
        )
        address = urlsplit(addresses[0])
        await page.open(f"{calendar.url}/docs")
        await page.evaluate("sessionStorage.clear()")
        await page.open(f"{calendar.url}{address.path}?view=list&date=2027-02-01&timezone=UTC#{address.fragment}")
        await page.shows("Doors open at nine")
        for button in ("pause", "resume", "share"):
            assert not await page.evaluate(f"document.getElementById('{button}').checkVisibility()")
        await page.evaluate("document.querySelector('.tile.partial').click()")
        await page.shows("Partly published", "Mastodon")
        assert await page.evaluate("document.querySelectorAll('dialog form').length") == 0
        # No request had the token in its address.
        requests = await page.evaluate("JSON.stringify(performance.getEntries().map((entry) => entry.name))")
        assert address.fragment.partition("=")[2] not in requests.replace(f"#{address.fragment}", "")
        [view] = (await stranger.get("/v1/calendar/views")).json()["views"]
        await stranger.delete(f"/v1/calendar/views/{view['id']}")
        await page.evaluate("document.getElementById('dialog').close()")
        assert "Doors open" not in await page.shows("This view was revoked")


async def test_a_campaign_shows_its_days_and_is_paused(
    app: Litestar, stack: Stack, stranger: Client, tmp_path: Path
) -> None:
    body = {"name": "Winter market", "isDraft": False, "timezone": "Europe/Berlin"}
    campaign = (await stranger.post("/v1/campaigns", json=body)).json()
    account = await stack.connect("mastodon", workspace_id=stranger.workspace_id)
    target = {"platform": account.platform, "accountId": account.id}
    due = datetime.now(UTC) + timedelta(days=2)
    for number in range(3):
        post = {"content": f"Stall {number}", "platforms": [target], "campaignId": campaign["id"]}
        response = await stranger.send_post({**post, "scheduledFor": (due + timedelta(days=number)).isoformat()})
        assert response.status_code == 201, response.text
    axe = await read_axe()
    async with calendar_page(app, key_of_client(stranger), tmp_path) as calendar:
        page = calendar.page
        await calendar.open("timezone=UTC")
        await page.open(f"{calendar.url}/campaigns/{campaign['id']}")
        await page.shows("Winter market: active", "Stall 0", "Stall 2", "Scheduled 3", "1 scheduled · 1 Mastodon")
        assert await page.evaluate("document.querySelectorAll('#campaign .bar').length") == 3
        await page.evaluate("document.getElementById('pause').click()")
        await page.shows("Pause Winter market")
        await page.evaluate(
            "document.querySelector('dialog input').value = 'The prices are wrong';"
            "document.querySelector('dialog form button').click()"
        )
        await page.shows("Paused until you resume: Winter market")
        await page.evaluate("document.getElementById('dialog').close()")
        await page.shows("Winter market: paused", "by an API key: The prices are wrong. 0 posts missed.")
        await page.shows("Posts of Winter market are paused since")
        await check(page, axe)
        await page.evaluate("document.getElementById('resume').click()")
        await page.shows("No post was missed.")
        await page.evaluate("[...document.querySelectorAll('dialog form button')].at(-1).click()")
        await page.shows("Resumed. 0 posts published")
        await page.evaluate("document.getElementById('dialog').close()")
        await page.shows("Winter market: active")
