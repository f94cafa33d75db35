"""The boards of an account, and the sections of a board."""

from platforms.choices import MOST_CHOICES, Choices, ListedSetting, bounded
from platforms.errors import unreadable
from platforms.http.wire import segment
from platforms.pinterest.connection import PinterestConnection, call

PAGE = 250
"""Entries per page, as many as Pinterest allows. Source: query_page_size of Pinterest's OpenAPI document v5."""
LISTED = {
    "boardId": ListedSetting(scope="boards:read"),
    "boardSectionId": ListedSetting(within="boardId", scope="boards:read"),
}


async def choices(connection: PinterestConnection, board: str) -> Choices:
    """Return the sections of a board; all boards if it is empty. Raises PlatformError."""
    path = f"/v5/boards/{segment(board)}/sections" if board else "/v5/boards"
    query: dict[str, str | int] = {"page_size": PAGE}
    pairs: list[tuple[object, object]] = []
    for _ in range(MOST_CHOICES // PAGE):
        page = await call(connection, "GET", path, params=query)
        if not isinstance(items := page.get("items"), list):
            raise unreadable("Pinterest")
        pairs += [(item["id"], item.get("name")) for item in items]
        if not page.get("bookmark"):
            return bounded(pairs)
        query["bookmark"] = str(page["bookmark"])
    return bounded(pairs, more=True)
