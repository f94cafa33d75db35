"""Functions that the generated methods of both clients call."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from socialsyncer_client.errors import SocialSyncerError
from socialsyncer_client.generated.types import UNSET, Response, Unset

Answer = TypeVar("Answer")
Item = TypeVar("Item")


class Page(Protocol):
    """A part of a list, and the cursor of the next one."""

    @property
    def cursor(self) -> str | None:
        """Return the cursor of the next page, or None if there is none."""


AnyPage = TypeVar("AnyPage", bound=Page)


class PlainBody:
    """A body that is plain JSON already."""

    def __init__(self, body: Mapping[str, Any]) -> None:
        self._body = dict(body)

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON."""
        return self._body


def as_body(body: Any) -> Any:
    """Return a body for a generated function, which asks of it only `to_dict`."""
    return PlainBody(body) if isinstance(body, Mapping) else body


def keyed_posts(body: Any, key: str) -> Any:
    """Return the body of many posts, in which each has an id: a post without one gets a part of the call's key."""
    fields = dict(as_body(body).to_dict())
    posts = fields.get("posts")
    fields["posts"] = posts and [
        {**post, "idempotencyKey": f"{key}/{number}"}
        if isinstance(post, dict) and not (post.get("externalId") or post.get("idempotencyKey"))
        else post
        for number, post in enumerate(posts)
    ]
    return PlainBody(fields)


def path_part(part: Answer) -> Answer:
    """Return a part of a path. Raises ValueError if it is empty or dots, which would name another operation."""
    if str(part).strip(".") == "":
        raise ValueError(f"An id of the path is missing: {str(part)!r}")
    return part


def new_key(idempotency_key: str | None) -> str:
    """Return the Idempotency-Key of a call: the same for all its attempts."""
    return idempotency_key or str(uuid.uuid4())


def parsed(response: Response[Answer]) -> Answer:
    """Return an answer's body. Raises SocialSyncerError if the document does not know its status or its form."""
    if response.parsed is None:
        raise SocialSyncerError(f"This client does not know the answer {int(response.status_code)}.")
    # An older server may lack fields. An answer without its id, or without any field, is another thing.
    fields = {name: value for name, value in vars(response.parsed).items() if name != "additional_properties"}
    if fields.get("id", "") is UNSET or not any(value not in (UNSET, []) for value in fields.values()):
        raise SocialSyncerError(f"The answer is no {type(response.parsed).__name__}: its required fields are missing.")
    return response.parsed


def iterate_pages(read: Callable[[str | Unset], AnyPage], items: Callable[[AnyPage], Sequence[Item]]) -> Iterator[Item]:
    """Yield the items of all pages. A page is requested when its first item is."""
    cursor: str | Unset | None = UNSET
    while cursor is not None:
        page = read(cursor)
        yield from items(page)
        cursor = page.cursor or None


async def iterate_pages_async(
    read: Callable[[str | Unset], Awaitable[AnyPage]], items: Callable[[AnyPage], Sequence[Item]]
) -> AsyncIterator[Item]:
    """Yield the items of all pages. A page is requested when its first item is."""
    cursor: str | Unset | None = UNSET
    while cursor is not None:
        page = await read(cursor)
        for item in items(page):
            yield item
        cursor = page.cursor or None
