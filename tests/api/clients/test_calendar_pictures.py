"""The pictures of the calendar in README.md and docs/calendar.md.

`SCREENSHOTS=docs/images uv run pytest -n 0 --thorough tests/api/clients/test_calendar_pictures.py` takes them.
"""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from litestar import Litestar

from tests.api.clients.barriers import check, read_axe
from tests.api.clients.calendar_rows import fill_calendar
from tests.api.clients.test_calendar_page import calendar_page, key_of_client
from tests.api.conftest import Client
from tests.api.media.files import serving, upload_ready
from tests.api.media.test_thumbnails import PICTURE, make_all
from tests.cli.browser import program
from tests.cli.test_web_ui_pages import keep
from tests.stack import Stack

pytestmark = [
    pytest.mark.timeout(300),
    pytest.mark.thorough,
    pytest.mark.skipif(program() is None, reason="Chromium is not installed (Debian's package chromium)"),
]
_PICTURES = """JSON.stringify([...document.querySelectorAll("main img")].map((image) =>
  [image.alt, image.complete && image.naturalWidth > 0, image.clientWidth, image.clientHeight]))"""
_LOADED = "[...document.querySelectorAll('main img')].every((image) => image.complete)"
_HOSTS = """JSON.stringify([...new Set(performance.getEntriesByType("resource").map((entry) =>
  new URL(entry.name).host))])"""


async def test_posts_have_pictures_of_their_uploads_alone(
    app: Litestar, stack: Stack, stranger: Client, tmp_path: Path
) -> None:
    axe = await read_axe()
    key = key_of_client(stranger)
    async with serving(app, key) as client:
        upload = await upload_ready(client, PICTURE)
    await make_all(app, stack)
    campaign = (await stranger.post("/v1/campaigns", json={"name": "Snow", "timezone": "UTC"})).json()["id"]
    own = {"type": "image", "url": upload["publicUrl"], "altText": "Skis in the snow"}
    for number, item in enumerate((own, {"type": "image", "url": "https://cdn.example.net/strange.jpg"})):
        body = {"content": f"Post {number}", "mediaItems": [item], "scheduledFor": f"2027-05-0{number + 4}T09:00:00Z"}
        assert (await stranger.send_post(body | {"isDraft": True, "campaignId": campaign})).status_code == 201
    async with calendar_page(app, key, tmp_path) as calendar:
        for view, side in (("month", 32), ("list", 48)):
            await calendar.page.resize(1280, 900)
            await calendar.open(f"view={view}&date=2027-05-01&timezone=UTC")
            await calendar.wait(_LOADED)
            assert await calendar.read(_PICTURES) == [["Skis in the snow", True, side, side]], view
            await check(calendar.page, axe)
        # No other server is asked for a picture, and a post in its dialog has the words that it had.
        assert await calendar.read(_HOSTS) == [calendar.url.removeprefix("http://")]
        await calendar.page.evaluate("document.querySelector('main img').click()")
        await calendar.page.shows("Post 0")


WIDTH, HEIGHT = 1280, 800
PHONE = (390, 760)
STEP = timedelta(hours=12)
COUNT = 72


def statuses(first: datetime, now: datetime) -> tuple[str, ...]:
    """Return the status of each post: what is past was published, with two exceptions; some of the rest are drafts."""
    past = sum(first + number * STEP < now for number in range(COUNT))
    due = ["partial" if n == past - 2 else "failed" if n == past - 5 else "published" for n in range(past)]
    return (*due, *("draft" if n % 9 == 5 else "scheduled" for n in range(COUNT - past)))


async def test_the_calendar_has_its_pictures(app: Litestar, stack: Stack, stranger: Client, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    month = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    first = month - timedelta(days=(month.weekday() + 1) % 7, hours=-8)
    await fill_calendar(stack, stranger.workspace_id, first, count=COUNT, step=STEP, statuses=statuses(first, now))
    query = f"date={now:%Y-%m-%d}&timezone=Europe/Berlin"
    async with calendar_page(app, key_of_client(stranger), tmp_path) as calendar:
        for name, dark in (("calendar-month", False), ("calendar-month-dark", True)):
            await calendar.page.resize(WIDTH, HEIGHT, dark=dark)
            await calendar.open(f"view=month&{query}")
            await keep(await calendar.page.picture(WIDTH, HEIGHT, dark=dark), name, tmp_path, cut_off=0, colours=256)
        await calendar.page.resize(*PHONE)
        await calendar.open(f"view=list&{query}")
        await keep(await calendar.page.picture(*PHONE), "calendar-phone", tmp_path, cut_off=0, colours=256)
