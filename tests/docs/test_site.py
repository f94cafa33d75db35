"""The site of the documents: what its search finds, and its pages in a browser, for a phone and without barriers."""

import json
import shutil
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from litestar import Litestar
from litestar.static_files import create_static_files_router

from tests.api.clients.barriers import check, read_axe
from tests.api.clients.tools import run
from tests.cli.browser import browser, program
from tests.serving import listening

pytestmark = pytest.mark.skipif(find_spec("mkdocs") is None, reason="MkDocs is not installed (the group docs)")

ROOT = Path(__file__).parents[2]
FIRST_RESULTS = {
    "upload a picture": "media-uploads/",
    "retry a failed post": "changing-posts/",
    "pause a campaign": "campaigns/",
    "my token expired": "tokens/",
    "how do I restore a backup": "backup/",
    "add a platform": "add-a-platform/",
}


@pytest.fixture(scope="module")
async def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    await run(ROOT, sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", "--site-dir", f"{folder}")
    return folder


@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
async def test_search_finds_the_page_of_a_task_first(site: Path) -> None:
    results = json.loads(await run(ROOT, "node", "tests/docs/search.js", f"{site}", *FIRST_RESULTS))
    assert {query: locations[0] for query, locations in results.items()} == FIRST_RESULTS


def pages(site: Path) -> list[Path]:
    """Return the paths of pages. Decisions are all built alike: their list and the first stand for the others."""
    paths = {page.parent.relative_to(site) for page in site.rglob("index.html")}
    decisions = sorted(path for path in paths if path.match("adr/0*"))
    return sorted(paths - {*decisions[1:]})


_WITHOUT_MOTION = """document.head.append(Object.assign(document.createElement("style"),
  {textContent: "* { animation: none !important; transition: none !important; }"}))"""


@pytest.mark.timeout(900)
@pytest.mark.thorough
@pytest.mark.skipif(program() is None, reason="Chromium is not installed (Debian's package chromium)")
async def test_pages_fit_their_windows_and_have_no_barriers(site: Path, tmp_path: Path) -> None:
    axe = await read_axe()
    app = Litestar([create_static_files_router("/", [site], html_mode=True)], openapi_config=None)
    async with listening(app) as url, browser(tmp_path) as page:
        for name in pages(site):
            await page.open(f"{url}/{name}/")
            await page.shows("SocialSyncer")
            await page.evaluate(_WITHOUT_MOTION)
            for width in (390, 1440):
                await check(page, axe, width)
