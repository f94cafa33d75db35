"""The pages of this service on which a person connects an account: what they show and what they load."""

import base64

from api.connect.hosted_pages import invitation
from store.models import PendingConnection
from tests.api.conftest import Client, problems
from tests.api.connect.hosted_browser import Browser, begin


async def test_first_page_names_the_caller_and_changes_nothing(stranger: Client, browser: Browser) -> None:
    begun = await begin(stranger)
    for _ in range(2):
        page = await browser.open(begun["authUrl"])
        assert "app.example.com" in page.text
        assert "set-cookie" not in page.headers
    assert (await browser.send(begun["authUrl"])).status_code == 200


async def test_pages_load_nothing_and_cannot_be_framed(stranger: Client, browser: Browser) -> None:
    begun = await begin(stranger)
    page = await browser.open(begun["authUrl"])
    policy = page.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "script-src" not in policy
    assert "<script" not in page.text
    assert page.headers["cache-control"] == "no-store"
    started = await browser.send(begun["authUrl"])
    assert "httponly" in started.headers["set-cookie"].lower()
    assert "samesite=lax" in started.headers["set-cookie"].lower()


def test_first_page_names_the_operator_beside_the_workspace() -> None:
    row = PendingConnection(return_url=None, account_id=None)
    shown = bytes(invitation(row, "X", "acme", "Example <Agency>").content).decode()
    assert (
        "<b>acme</b> asks to publish to your X account for you with the service of <b>Example &lt;Agency&gt;</b>"
        in shown
    )
    assert "If you do not know acme or Example &lt;Agency&gt;, close this page." in shown
    assert "with the service of" not in bytes(invitation(row, "X", "acme").content).decode()


def png(side: int, extra: int = 0) -> str:
    """Return the beginning of a square picture, in base64."""
    size = side.to_bytes(4) * 2
    return base64.b64encode(
        b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + size + b"\x08\x06\x00\x00\x00" + b"0" * extra
    ).decode()


class TestLook:
    async def test_the_first_page_has_the_name_and_the_picture_of_its_workspace(
        self, stranger: Client, api: Client, browser: Browser
    ) -> None:
        look = {"name": "Acme <Bakery>", "logo": png(200)}
        answer = await stranger.put("/v1/connect/page", json=look)
        assert (answer.status_code, answer.json()) == (200, look)
        assert (await stranger.get("/v1/connect/page")).json() == look
        own = await browser.open((await begin(stranger, "twitter"))["authUrl"])
        assert "<b>Acme &lt;Bakery&gt;</b> asks" in own.text
        assert f'<img alt="" src="data:image/png;base64,{look["logo"]}">' in own.text
        assert own.headers["content-security-policy"].endswith("; img-src data:")
        other = await browser.open((await begin(api, "twitter"))["authUrl"])
        assert "Acme" not in other.text
        assert "<img" not in other.text
        assert "img-src" not in other.headers["content-security-policy"]
        assert (await api.get("/v1/connect/page")).json() == {"name": None, "logo": None}
        # A field that is left out is removed.
        assert (await stranger.put("/v1/connect/page", json={})).json() == {"name": None, "logo": None}

    async def test_other_files_are_refused(self, stranger: Client) -> None:
        svg = base64.b64encode(b"<svg onload='alert(1)'/>").decode()
        for logo in (svg, png(513), png(0), png(10, 32 * 1024), "no base64!", "iVBORw0KGgo=", "é"):
            answer = await stranger.put("/v1/connect/page", json={"logo": logo})
            assert (answer.status_code, problems(answer)[0]["param"]) == (400, "logo"), logo[:20]
        for body in ({"name": "x" * 81}, {"name": " "}, {"title": "x"}):
            assert (await stranger.put("/v1/connect/page", json=body)).status_code == 400
