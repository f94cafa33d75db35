"""Barriers of a page: it is wider than its window, or axe finds something, in light or in dark."""

import json

from tests.api.clients.tools import installed_from_npm
from tests.cli.browser import Page

_PHONE_WIDTH = 390
_AXE = {"axe-core": "4.10.3"}
_VIOLATIONS = """axe.run(document, {resultTypes: ["violations"]}).then((found) => JSON.stringify(
  found.violations.map((each) => [each.id, each.nodes.slice(0, 5).map((node) => node.html.slice(0, 200))])))"""


_TOO_WIDE = """JSON.stringify(document.documentElement.scrollWidth <= innerWidth ? [] :
  [...document.querySelectorAll("*")]
  .filter((each) => !each.closest("pre code") && each.getBoundingClientRect().right > innerWidth)
  .slice(0, 12).map((each) => each.outerHTML.slice(0, 120)))"""


async def fits(page: Page) -> None:
    """Fail if a page is wider than a phone."""
    await page.resize(_PHONE_WIDTH, 800)
    assert json.loads(await page.evaluate(_TOO_WIDE)) == []


async def check(page: Page, axe: str, width: int = _PHONE_WIDTH) -> None:
    """Fail if a page is wider than its window or has a barrier that axe knows."""
    for dark in (False, True):
        await page.resize(width, 800, dark=dark)
        where = f"{await page.evaluate('location.href')} at {width} px"
        assert json.loads(await page.evaluate(_TOO_WIDE)) == [], where
        await page.evaluate(axe)
        assert json.loads(await page.evaluate(_VIOLATIONS)) == [], where


async def read_axe() -> str:
    """Return axe's script; skip the test if npm cannot install it."""
    packages = await installed_from_npm(_AXE)
    return (packages / "node_modules/axe-core/axe.min.js").read_text()
