"""Publish to Instagram: build containers, wait until they are processed, publish one of them."""

import asyncio
from datetime import datetime, timedelta
from typing import Any

import httpx

from domain.post import MediaType
from platforms.afterwards import FIRST_COMMENT, once
from platforms.alike import Alike, earliest
from platforms.base import (
    Absent,
    AccountFacts,
    Draft,
    Finding,
    Identity,
    Network,
    Published,
    Sending,
    Unknown,
)
from platforms.errors import Kind, NetworkError
from platforms.instagram import errors, fields, line, rules
from platforms.instagram.containers import POST, Containers, State
from platforms.instagram.line import Line
from platforms.instagram.rules import Form, form_of
from platforms.instagram.settings import InstagramCredentials, InstagramSettings
from platforms.rules import FileRule, Violation

AT_ONCE = 4
"""How many items of a carousel are built at the same time; our choice, Instagram names no number."""
CLOCKS_APART = timedelta(seconds=60)
"""How far Instagram's clock may stand behind ours before its own post is not recognised."""
MEDIA_FIELDS = "id,caption,permalink,timestamp"


class Instagram(Network[InstagramSettings, InstagramCredentials]):
    """Be Instagram, as its API with Instagram Login serves professional accounts."""

    platform = "instagram"
    label = "Instagram"
    base_url = "https://graph.instagram.com"
    account_prefix = "ig"
    request_id_header = errors.REQUEST_ID_HEADER
    fetches = frozenset({MediaType.IMAGE, MediaType.VIDEO})
    covers = {"instagram_thumbnail": rules.COVER, "reel_cover": rules.COVER}  # noqa: RUF012
    rules = rules.RULES
    settings = InstagramSettings
    credentials = InstagramCredentials

    def check(self, draft: Draft[InstagramSettings], account: AccountFacts) -> list[Violation]:
        """Return every rule of Instagram that the draft breaks; the bytes of its media are not looked at."""
        return rules.check(self.label, draft)

    def file_rules(self, draft: Draft[InstagramSettings], account: AccountFacts) -> tuple[FileRule, ...]:
        """Return the rules of files; stories have their own."""
        return rules.STORY_FILES if form_of(draft) is Form.STORY else rules.RULES.files

    def error_of(self, response: httpx.Response) -> NetworkError:
        """Map a refusal of the Graph API."""
        return errors.error_of(response)

    async def whoami(self, connection: Line) -> Identity:
        """Ask whose token this is; `user_id` is the professional account, `id` its name for one app only."""
        me = await line.get(connection, "/me", fields="id,user_id,username")
        user_id = connection.credentials.user_id or me.get("user_id")
        if not user_id or not me.get("username"):
            raise NetworkError(Kind.TRANSIENT, "Instagram did not say whose token this is.", code="no_identity")
        return Identity(user_id=str(user_id), username=str(me["username"]))

    async def prepare(self, connection: Line, sending: Sending[InstagramSettings]) -> None:
        """Build the post's containers and wait a few seconds until Instagram has processed them."""
        containers = Containers(connection, sending)
        await containers.drop_old()
        if containers.get(POST) is None:
            items = await _build_items(containers, sending)
            await containers.build(POST, fields.of_post(sending.draft, items))
        await containers.ready(POST)

    async def publish(self, connection: Line, sending: Sending[InstagramSettings]) -> Published:
        """Publish the container. Instagram publishes each only once: a repeat is refused and makes no double."""
        containers = Containers(connection, sending)
        container = containers.get(POST)
        if container is None:
            raise NetworkError(Kind.TRANSIENT, "Instagram must be given the media again.", code="no_container")
        path = f"/{connection.account.user_id}/media_publish"
        try:
            return Published(await line.post_public(connection, path, {"creation_id": container}), url=None)
        except NetworkError as error:
            # What a repeat is refused with is documented nowhere: a refusal counts once the container agrees.
            doubtful = error.kind in {Kind.REJECTED, Kind.NOT_READY}
            if doubtful and (await containers.state(POST))[0] is State.PUBLISHED:
                raise error.as_unclear() from error
            raise

    async def confirm(self, connection: Line, sending: Sending[InstagramSettings]) -> Finding:
        """Read from the container whether it was published, then find the post among the account's newest."""
        containers = Containers(connection, sending)
        if containers.get(POST) is None:
            return Absent()
        match (await containers.state(POST))[0]:
            case State.FINISHED:
                return Absent()
            case State.ERROR | State.EXPIRED:
                await containers.drop(POST)
                return Absent()
            case State.IN_PROGRESS:
                return Unknown()
            case State.PUBLISHED:
                return await _find(connection, sending, containers.made_at(POST)) or Unknown()
            case State.GONE:
                return await _find(connection, sending, containers.made_at(POST)) or Absent()

    async def complete(
        self,
        connection: Line,
        sending: Sending[InstagramSettings],
        published: Published,
    ) -> Published:
        """Add the first comment and fetch the permalink. Repeatable."""
        post_id, url, warning = published.platform_post_id, published.url, None
        if comment := sending.draft.settings.first_comment:
            path, fields = f"/{post_id}/comments", {"message": comment}
            warning = await once(connection, sending, FIRST_COMMENT, lambda: line.post_public(connection, path, fields))
        if url is None:
            url = (await line.get(connection, f"/{post_id}", fields="permalink")).get("permalink")
        return Published(post_id, url, warning=warning)


async def _build_items(containers: Containers, sending: Sending[InstagramSettings]) -> list[str]:
    """Return the finished items of a carousel; none for every other form."""
    if form_of(sending.draft) is not Form.CAROUSEL:
        return []
    gate = asyncio.Semaphore(AT_ONCE)

    async def build(index: int) -> str:
        name = str(index)
        if containers.get(name) is None:
            async with gate:
                sending.heartbeat(f"item {index}")
                await containers.build(name, fields.of_item(sending.draft, index))
        return await containers.ready(name)

    # Where one item fails the others still finish, so that the next attempt finds them.
    outcomes = await asyncio.gather(*map(build, range(len(sending.draft.media))), return_exceptions=True)
    if failures := [outcome for outcome in outcomes if isinstance(outcome, BaseException)]:
        raise max(failures, key=_is_final)
    return [outcome for outcome in outcomes if isinstance(outcome, str)]


def _is_final(failure: BaseException) -> bool:
    """Tell whether waiting is in vain: of several failures the author should hear of that one."""
    return not isinstance(failure, NetworkError) or failure.kind in {Kind.REJECTED, Kind.AUTH}


async def _find(connection: Line, sending: Sending[InstagramSettings], since: datetime) -> Published | None:
    """Find the post by its caption among those published since its container was made; a story shows no caption.

    Not since the last attempt: an earlier one may have landed late.
    """
    story = form_of(sending.draft) is Form.STORY
    edge = f"/{connection.account.user_id}/{'stories' if story else 'media'}"
    answer = await line.get(connection, edge, fields=MEDIA_FIELDS, limit="50")

    def ours(media: dict[str, Any]) -> bool:
        # Instagram trims a caption's white space.
        same = story or str(media.get("caption") or "").split() == sending.draft.text.split()
        return same and _timestamp(media) >= since - CLOCKS_APART

    return earliest(sending, map(_alike, filter(ours, answer.get("data", []))))


def _alike(media: dict[str, Any]) -> Alike:
    return Alike(Published(str(media["id"]), media.get("permalink")), _timestamp(media))


def _timestamp(media: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(media["timestamp"])
