"""Publishing to Instagram: build containers, wait until they are processed, publish one of them."""

from datetime import datetime
from typing import Any

from domain.post import MediaType
from domain.rate_limits import Quota
from platforms.base import AccountFacts, Draft, Finding, Identity, Platform, PublishContext, Published
from platforms.capabilities import ReportsQuota
from platforms.errors import ErrorKind, PlatformError
from platforms.files import MediaPulls
from platforms.http.untrusted import moment
from platforms.http.wire import segment
from platforms.instagram import errors, fields, rules
from platforms.instagram.connection import API, CONTAINERS, GRAPH, InstagramConnection
from platforms.instagram.rules import InstagramPostType, choose_post_type
from platforms.instagram.settings import InstagramCredentials, InstagramSettings
from platforms.meta.access import RenewsLongLived
from platforms.meta.comments import add_first_comment
from platforms.meta.containers import POST, Containers
from platforms.meta.credentials import applies_to
from platforms.meta.errors import REQUEST_ID_HEADER
from platforms.meta.quota import read_quota
from platforms.rules import FileRule
from platforms.steps.matching import Likeness, MatchingPost, likeness, verdict_of_newest

MEDIA_FIELDS = "id,caption,permalink,timestamp"
PAGE = 50


class Instagram(
    Platform[InstagramSettings, InstagramCredentials],
    ReportsQuota[InstagramCredentials],
    RenewsLongLived[InstagramCredentials],
):
    """Instagram's API with Instagram Login, for professional accounts."""

    name = "instagram"
    label = "Instagram"
    base_url = "https://graph.instagram.com"
    api = API
    account_prefix = "ig"
    request_id_header = REQUEST_ID_HEADER
    pulls = MediaPulls(frozenset({MediaType.IMAGE, MediaType.VIDEO}))
    strips_metadata = True  # general knowledge, unverified
    covers = {"instagram_thumbnail": rules.COVER, "reel_cover": rules.COVER}  # noqa: RUF012
    read_error = staticmethod(errors.read_error)
    refusals = errors.REFUSALS
    broken_rules = staticmethod(rules.check)
    rules = rules.RULES
    settings = InstagramSettings
    credentials = InstagramCredentials
    renewal_grant = "ig_refresh_token"

    def file_rules(self, draft: Draft[InstagramSettings], account: AccountFacts) -> tuple[FileRule, ...]:
        """Return the rules of files; stories have their own."""
        return rules.STORY_FILES if choose_post_type(draft) is InstagramPostType.STORY else rules.RULES.files

    def refusal_applies(self, code: str, credentials: InstagramCredentials, draft: Draft[InstagramSettings]) -> bool:
        """Return whether a refusal of the app also stops this draft.

        A missing proof stops only accounts that have none.
        """
        return applies_to(code, credentials)

    async def whoami(self, connection: InstagramConnection) -> Identity:
        """Ask whose token this is; `user_id` is the professional account, `id` its id for one app only."""
        me = await GRAPH.get(connection, "/me", fields="id,user_id,username")
        user_id = connection.credentials.user_id or me.get("user_id")
        if not user_id or not me.get("username"):
            raise PlatformError(ErrorKind.TRANSIENT, "Instagram did not say whose token this is.", code="no_identity")
        return Identity(user_id=str(user_id), username=str(me["username"]))

    async def quota(self, connection: InstagramConnection) -> Quota:
        """Ask how many posts of the last 24 hours are left; Instagram does not report when more are allowed."""
        path = f"/{segment(connection.account.user_id)}/content_publishing_limit"
        answer = await GRAPH.get(connection, path, fields="config,quota_usage")
        return read_quota(answer.get("data"), "Instagram")

    async def prepare(self, connection: InstagramConnection, context: PublishContext[InstagramSettings]) -> None:
        """Build the post's containers and wait a few seconds until Instagram has processed them."""
        draft = context.draft
        await Containers(CONTAINERS, connection, context).prepare(
            POST, fields.item_fields(draft), lambda items: fields.post_fields(draft, items)
        )

    async def publish(self, connection: InstagramConnection, context: PublishContext[InstagramSettings]) -> Published:
        """Publish the container."""
        return Published(await Containers(CONTAINERS, connection, context).publish(POST), url=None)

    async def confirm_sent(
        self, connection: InstagramConnection, context: PublishContext[InstagramSettings], sent_at: datetime
    ) -> Finding:
        """Read from the container whether it was published, then find the post among the account's newest."""
        return await Containers(CONTAINERS, connection, context).confirm(
            POST, lambda since: _find(connection, context, since), sent_at=sent_at
        )

    async def complete(
        self,
        connection: InstagramConnection,
        context: PublishContext[InstagramSettings],
        published: Published,
    ) -> Published:
        """Add the first comment and fetch the permalink. Repeatable."""
        post_id, url = published.platform_post_id, published.url
        comment = context.draft.settings.first_comment
        warning = await add_first_comment(GRAPH, connection, context, post_id, comment)
        if url is None:
            url = (await GRAPH.get(connection, f"/{segment(post_id)}", fields="permalink")).get("permalink")
        return Published(post_id, url, warning=warning)


async def _find(
    connection: InstagramConnection, context: PublishContext[InstagramSettings], since: datetime
) -> Finding:
    """Find the post by its caption; a story has none."""
    story = choose_post_type(context.draft) is InstagramPostType.STORY
    edge = f"/{segment(connection.account.user_id)}/{'stories' if story else 'media'}"
    newest = await GRAPH.get_list(connection, edge, fields=MEDIA_FIELDS, limit=str(PAGE))
    posts = (_matching_post(media, None if story else context.draft.text) for media in newest)
    return verdict_of_newest(context, newest, posts, since=since, most=PAGE)


def _matching_post(media: dict[str, Any], caption: str | None) -> MatchingPost:
    shown = Published(str(media["id"]), media.get("permalink"))
    like = Likeness.SAME if caption is None else likeness(media.get("caption"), caption)
    return MatchingPost(shown, moment(media["timestamp"]), like)
