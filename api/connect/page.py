"""Read and write how a workspace looks to people who connect accounts."""

import base64
import binascii

from api.connect.schemas import ConnectPageBody, ConnectPageView
from domain.errors import InvalidRequest, Problem
from domain.workspaces import LARGEST_LOGO, LARGEST_SIDE, ConnectPage, is_logo
from store.database import Database
from store.workspaces.keys import read_connect_page, write_connect_page

_WRONG = Problem(
    f"logo must be a PNG of at most {LARGEST_LOGO // 1024} KiB and {LARGEST_SIDE} pixels on each side, in base64",
    "invalid_field_value",
    "logo",
)


async def show_page(database: Database, workspace_id: str) -> ConnectPageView:
    """Return how a workspace looks."""
    async with database.reading() as session:
        page = await read_connect_page(session, workspace_id)
    return _view(page)


async def replace_page(database: Database, workspace_id: str, body: ConnectPageBody) -> ConnectPageView:
    """Set how a workspace looks. Raises InvalidRequest."""
    page = ConnectPage(body.name, None if body.logo is None else _read_logo(body.logo))
    async with database.transaction() as session:
        await write_connect_page(session, workspace_id, page)
    return _view(page)


def _read_logo(text: str) -> bytes:
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidRequest(_WRONG) from None
    if not is_logo(content):
        raise InvalidRequest(_WRONG)
    return content


def _view(page: ConnectPage) -> ConnectPageView:
    return ConnectPageView(name=page.name, logo=None if page.logo is None else base64.b64encode(page.logo).decode())
