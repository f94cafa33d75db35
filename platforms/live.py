"""The live check of a platform: the posts on a real account, their removal, and the assumptions that they verify.

The module `platform` of each platform's package has its LIVE. `cli.live_check` runs them through the same adapters as
the worker does; docs/live-check.md says how an operator starts that.
"""

import importlib
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from platforms.base import AnyPlatform, Connection, Finding, PublishContext, Published
from platforms.errors import PlatformError
from platforms.http.wire import segment

FILE = "file:"
"""The prefix of a setting's value that names one of the check's own files; it is replaced by the file's URL."""


@dataclass(frozen=True, slots=True)
class RecordedExchange:
    """One exchange with the platform. `step` is the part of the check that it belongs to."""

    step: str
    method: str
    host: str
    path: str
    status: int | None
    """None if there was no response."""
    sent: Any = None
    """The request's JSON; None if it has none."""
    body: Any = None
    """The response's JSON; None if it has none."""
    headers: Mapping[str, str] = field(default_factory=dict)
    """The response's headers."""


@dataclass(slots=True)
class SampleResult:
    """The results of one sample's check so far."""

    sample: "SamplePost"
    exchanges: list[RecordedExchange] = field(default_factory=list)
    published: Published | None = None
    error: PlatformError | None = None
    """Why the sample was not published."""
    finding: Finding | None = None
    """The result of confirming the published post, as if its response had been lost; None if it was not tried."""


@dataclass(frozen=True, slots=True)
class Assumption:
    """One assumption of an adapter that only the platform itself can show to be true.

    `holds` returns whether it is true; None if the check has not shown it. It reads what was seen and sends no request.
    """

    name: str
    statement: str
    holds: Callable[[SampleResult], bool | None]


@dataclass(frozen=True, slots=True)
class SamplePost:
    """One kind of post. `files` are names of the check's own files, such as wide.mp4 or plain.jpg."""

    name: str
    files: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
    """What platformSpecificData holds; "{username}" in a text becomes the account's name."""
    needs: tuple[str, ...] = ()
    """Settings that only the operator can give."""
    more_text: str = ""
    """The text that follows the mark."""
    repeats: bool = False
    """Whether the platform recognises a repeat of the same request and answers it with the first post."""
    assumptions: tuple[Assumption, ...] = ()


Remove = Callable[[Connection[Any], PublishContext[Any], Published], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class LiveCheck:
    """The live check of one platform."""

    samples: tuple[SamplePost, ...]
    remove: Remove | None = None
    """Deletes a post that the check has made; None if the platform has no call for it."""
    can_read: Callable[[Connection[Any]], bool] = lambda _: True
    """Whether the account's posts can be read back at all."""
    knows_repeats: Callable[[Connection[Any]], bool] = lambda _: True
    by_hand: tuple[str, ...] = ()
    """Questions that no program can answer, for the person who runs the check."""


def removal(send: Callable[..., Awaitable[object]], path: str) -> Remove:
    """Return the request that deletes a post, whose id takes the place of {id} in the path."""

    async def remove(connection: Connection[Any], _: PublishContext[Any], published: Published) -> None:
        await send(connection, "DELETE", path.format(id=segment(published.platform_post_id)))

    return remove


def load_live_check(platform: AnyPlatform) -> LiveCheck:
    """Return a platform's live check."""
    check = importlib.import_module(f"platforms.{platform.name}.platform").LIVE
    if not isinstance(check, LiveCheck):
        raise TypeError(f"platforms.{platform.name}.platform has no LIVE")
    return check


def find_answers(seen: SampleResult, part: str, *, method: str | None = None) -> list[RecordedExchange]:
    """Return the answered exchanges of a sample whose path contains this part, oldest first."""
    answers = [exchange for exchange in seen.exchanges if part in exchange.path and exchange.status is not None]
    return [exchange for exchange in answers if method in (None, exchange.method)]


def find_values(body: Any, name: str) -> list[Any]:
    """Return every value of this name in a JSON response, however deep."""
    if isinstance(body, dict):
        here = [body[name]] if name in body else []
        return here + [value for member in body.values() for value in find_values(member, name)]
    if isinstance(body, list):
        return [value for member in body for value in find_values(member, name)]
    return []
