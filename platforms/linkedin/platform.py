"""Publishing to LinkedIn: upload media, make the post by one request, find it if the response was lost."""

from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from platforms.access.oauth import RenewsByRefreshToken
from platforms.base import Absent, Draft, Finding, Identity, Platform, Published, Unknown
from platforms.errors import DUPLICATE, PASSING, ErrorKind, PlatformError, require_same
from platforms.http.wire import json_object, segment
from platforms.linkedin import errors, rules
from platforms.linkedin.access import API, BASE_URL, ENDPOINT, TOKENS, LinkedInConnection, LinkedInContext, call
from platforms.linkedin.lookup import find, is_made_since, published
from platforms.linkedin.media import Uploads, post_body, upload_kinds
from platforms.linkedin.rules import PAGE_PREFIX, LinkedInCredentials, LinkedInSettings, own_page
from platforms.live import Assumption, LiveCheck, SamplePost, SampleResult, find_answers, find_values, removal
from platforms.places import PlaceSetting
from platforms.steps.follow_up import FIRST_COMMENT, run_once

_SPECIAL = " · (a) [b] {c} <d> @e _f_ *g* ~h~ #test"


def _is_page(connection: LinkedInConnection) -> bool:
    return connection.credentials.organization_urn is not None


def _keeps_escapes(seen: SampleResult) -> bool | None:
    reported = [
        value
        for exchange in find_answers(seen, "/rest/posts", method="GET")
        for value in find_values(exchange.body, "commentary")
    ]
    return all("\\(a\\)" in str(value) for value in reported) if reported else None


LIVE = LiveCheck(
    samples=(
        SamplePost(
            "text",
            more_text=_SPECIAL,
            repeats=True,
            assumptions=(
                Assumption("escapes", "A page's posts are read back with the escapes that were sent.", _keeps_escapes),
            ),
        ),
        SamplePost("image", files=("plain.jpg",)),
        SamplePost("video", files=("wide.mp4",)),
    ),
    remove=removal(call, "/rest/posts/{id}"),
    can_read=_is_page,
    by_hand=("Publish, delete, and publish the same text within ten minutes: which post does the refusal name?",),
)


SENT_AT = "sentAt"
"""The time of the first send, in the handles: set before the request, removed if LinkedIn surely refused it."""
_REFUSED_AT = "refusedAt"
"""The handle with the time of a request that LinkedIn refused, though not as a repeat."""
ROLES, MOST_PAGES = 100, 20
"""A member's roles per page of the list, and pages of it that are read."""
POSTING_ROLES = frozenset({"ADMINISTRATOR", "CONTENT_ADMINISTRATOR", "CONTENT_ADMIN"})
"""The last is how LinkedIn's page on permissions spells it; responses contain the one before."""
VIDEO_ROLE = "ADMINISTRATOR"
"""The role with which LinkedIn surely takes a page's videos. It refuses those of a CONTENT_ADMINISTRATOR, as others
have reported; in which words is unverified."""
FORBIDDEN_TRIES = 6
"""How often a post may be refused for its media before they are at fault: some minutes; our choice. Shortly after an
upload such a refusal passes by itself."""
REPEAT_WITHIN = timedelta(minutes=8)
"""LinkedIn refuses the repeat of a post for about ten minutes (a third party's digest of its documentation), and names
the first one. A member's post can be found in no other way."""


class LinkedIn(Platform[LinkedInSettings, LinkedInCredentials], RenewsByRefreshToken[LinkedInCredentials]):
    """LinkedIn's versioned REST API, for members and the company pages that they manage."""

    name = "linkedin"
    label = "LinkedIn"
    base_url = BASE_URL
    domains = ("linkedin.com",)
    api = API
    account_prefix = "li"
    request_id_header = "x-li-uuid"
    # Short, because the repeat confirms the post: LinkedIn refuses it with the first post's name, but only for minutes.
    read_lag = timedelta(seconds=10)
    places = (PlaceSetting("organizationUrn", "organization_urn", own_page),)
    read_error = staticmethod(errors.read_error)
    refusals = errors.REFUSALS
    broken_rules = staticmethod(rules.check)
    rules = rules.RULES
    settings = LinkedInSettings
    credentials = LinkedInCredentials
    tokens = TOKENS
    token_endpoint = ENDPOINT

    def prepares(self, draft: Draft[LinkedInSettings]) -> bool:
        """Return whether there is something to upload, such as an article's picture."""
        article = draft.settings.article
        return bool(draft.media) or bool(article and article.thumbnail and not draft.settings.disable_link_preview)

    def refusal_applies(self, code: str, credentials: LinkedInCredentials, draft: Draft[LinkedInSettings]) -> bool:
        """Return whether a refusal of the app, by its code, also stops this draft.

        LinkedIn approves posts of members and of pages separately, and uploads of each kind of media.
        """
        is_page = bool(draft.settings.organization_urn or credentials.organization_urn)
        return errors.lacks(code, is_page=is_page, media=upload_kinds(draft))

    async def whoami(self, connection: LinkedInConnection) -> Identity:
        """Ask whose token this is, and whether that member manages the company page of the account."""
        page = connection.credentials.organization_urn
        if page is None:
            member = json_object(await call(connection, "GET", "/v2/userinfo"))
            if not member.get("sub"):
                raise PlatformError(
                    ErrorKind.TRANSIENT, "LinkedIn did not say whose token this is.", code="no_identity"
                )
            return Identity(str(member["sub"]), str(member.get("name") or member["sub"]))
        if not POSTING_ROLES & await _roles(connection, page):
            raise PlatformError(ErrorKind.AUTH, f"This LinkedIn member may not post for {page}.", code="no_role")
        number = page.rpartition(":")[2]
        return Identity(f"{PAGE_PREFIX}{number}", await _page_name(connection, number))

    def shows_posts(self, credentials: LinkedInCredentials, draft: Draft[LinkedInSettings]) -> bool:
        """Return whether it is a page's post, or a text, whose repeat LinkedIn refuses."""
        return bool(draft.settings.organization_urn or credentials.organization_urn) or _names_repeats(draft)

    async def prepare(self, connection: LinkedInConnection, context: LinkedInContext) -> None:
        """Upload the media. Repeatable: continues from the handles."""
        try:
            await Uploads(connection, context, post_author(connection, context)).run()
        except PlatformError as error:
            raise await _explain_to_author(error, connection, context) from error

    async def publish(self, connection: LinkedInConnection, context: LinkedInContext) -> Published:
        """Make the post, or learn from the refusal of a repeat which post the first request made."""
        author, handles = post_author(connection, context), context.handles
        uploads = Uploads(connection, context, author)
        repeated = SENT_AT in handles
        if repeated and _too_late(context):
            raise PlatformError(
                ErrorKind.UNCONFIRMED, "LinkedIn was asked too long ago to be asked again.", code="too_late"
            )
        if not repeated:
            handles[SENT_AT] = datetime.now(UTC).isoformat()
            await context.save(handles)
        try:
            body = post_body(context.draft, author, uploads)
            answer = await call(connection, "POST", "/rest/posts", public=True, json=body)
        except PlatformError as error:
            if repeated and (first := errors.repeated_urn(error)):
                if first in context.taken:
                    raise PlatformError(ErrorKind.REJECTED, error.message, code="repeats_another") from error
                return await _seen(connection, first, author, error)
            if error.status == httpx.codes.CONFLICT:
                raise error.as_unconfirmed() from error
            if not repeated:
                error = await _record_refusal(context, error)
            error = await _record_media_refusal(context, uploads, error)
            raise await _explain_to_author(error, connection, context) from error
        urn = answer.headers.get("x-restli-id")
        if not urn:
            raise PlatformError(
                ErrorKind.UNCONFIRMED, "LinkedIn did not name the post.", code="no_id", status=answer.status_code
            )
        return published(urn)

    async def confirm_sent(
        self, connection: LinkedInConnection, context: LinkedInContext, sent_at: datetime
    ) -> Finding:
        """Look among a page's posts. A member's are not readable: only the response to a timely repeat confirms a text.

        A member's post with media or a poll stays unconfirmed: a repeat that LinkedIn took would publish it twice.
        """
        author, is_open = post_author(connection, context), SENT_AT in context.handles
        if ":organization:" in author:
            try:
                finding = await find(connection, context, author, sent_at)
            except PlatformError as error:
                if error.status != httpx.codes.FORBIDDEN:
                    raise
            else:
                if isinstance(finding, Absent) and is_open and _too_late(context):
                    # The post was surely never made, so the next request counts as the first one.
                    del context.handles[SENT_AT]
                    await context.save(context.handles)
                return finding
        if not is_open:
            refused = _REFUSED_AT in context.handles and not _names_repeats(context.draft)
            return Unknown(final=True) if refused else Absent()
        is_safe = _names_repeats(context.draft) and not _too_late(context)
        return Absent(is_unread=True) if is_safe else Unknown(final=True)

    async def complete(self, connection: LinkedInConnection, context: LinkedInContext, done: Published) -> Published:
        """Add the first comment."""
        text, urn = context.draft.settings.first_comment, done.platform_post_id
        if not text:
            return done
        body = {"actor": post_author(connection, context), "object": urn, "message": {"text": text}}
        warning = await run_once(connection, context, FIRST_COMMENT, lambda: _comment(connection, urn, body))
        return replace(done, warning=" ".join(filter(None, dict.fromkeys([done.warning, warning]))) or None)


async def _page_name(connection: LinkedInConnection, number: str) -> str:
    """Return a page's name, or its number if LinkedIn shows the name to administrators only."""
    try:
        page = json_object(await call(connection, "GET", f"/rest/organizations/{segment(number)}"))
    except PlatformError as error:
        if error.status not in {httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND}:
            raise
        return number
    # The name of this field is general knowledge, unverified.
    return str(page.get("localizedName") or number)


async def _comment(connection: LinkedInConnection, urn: str, body: dict[str, Any]) -> None:
    """Write a comment. Raises PlatformError.

    Without the product Community Management, the versioned API refuses it, but /v2 accepts it with the permission to
    post (measured by others in August 2026). If both refuse it, the first refusal is raised.
    """
    path = f"/socialActions/{segment(urn)}/comments"
    try:
        await call(connection, "POST", f"/rest{path}", public=True, json=body)
    except PlatformError as refusal:
        if refusal.code != errors.NO_COMMENTS:
            raise
        try:
            await call(connection, "POST", f"/v2{path}", public=True, json=body)
        except PlatformError as error:
            if error.kind is ErrorKind.UNCONFIRMED or error.kind in PASSING:
                raise
            raise refusal from error


async def _roles(connection: LinkedInConnection, page: str) -> set[str]:
    """Return the member's roles on a page. Further pages of the list are read until a role that may post is found."""
    query: dict[str, str | int] = {"q": "roleAssignee", "state": "APPROVED", "count": ROLES, "start": 0}
    names: set[str] = set()
    for start in range(0, ROLES * MOST_PAGES, ROLES):
        listed = json_object(await call(connection, "GET", "/rest/organizationAcls", params={**query, "start": start}))
        roles = listed.get("elements") or []
        own = (role for role in roles if page in {role.get("organization"), role.get("organizationTarget")})
        names |= {str(role.get("role")) for role in own}
        if names & POSTING_ROLES or len(roles) < ROLES:
            break
    return names


async def _record_media_refusal(context: LinkedInContext, uploads: Uploads, error: PlatformError) -> PlatformError:
    """Count a refusal of media and forget useless ones; return it, `rejected` once media were forbidden too often."""
    if error.code == errors.FORBIDDEN_MEDIUM:
        context.handles["forbidden"] = context.handles.get("forbidden", 0) + 1
        await context.save(context.handles)
        error = error.as_rejected() if context.handles["forbidden"] >= FORBIDDEN_TRIES else error
    if error.code in errors.UNUSABLE_MEDIA and error.kind is not ErrorKind.NOT_READY:
        await uploads.drop()
    return error


async def _record_refusal(context: LinkedInContext, error: PlatformError) -> PlatformError:
    """Record that a first request was refused; return the error, `unconfirmed` if LinkedIn may have the post.

    That is so if LinkedIn calls a repeat what it refused for another reason before, or if the post that it names was
    made since the first send: a proxy may have sent the request twice. A timely repeat decides, as after a lost answer.
    """
    handles, urn = context.handles, errors.repeated_urn(error)
    if error.kind is ErrorKind.UNCONFIRMED:
        return error
    was_sent = _REFUSED_AT in handles or (urn is not None and is_made_since(urn, context.started_at))
    if was_sent and urn is not None and urn not in context.taken:
        handles[SENT_AT] = handles.get(_REFUSED_AT) or handles[SENT_AT]
        error = error.as_unconfirmed()
    else:
        sent_at = handles.pop(SENT_AT)
        if error.code != DUPLICATE:
            handles[_REFUSED_AT] = sent_at
    await context.save(handles)
    return error


async def _seen(connection: LinkedInConnection, urn: str, author: str, error: PlatformError) -> Published:
    """Return the post that a refused repeat names, once that post was read.

    For a day or two after a deletion, LinkedIn names posts that do not exist (ComposioHQ/composio#2710). A member's
    post is not readable, so it gets a warning. Raises PlatformError, `unconfirmed` if LinkedIn does not have the post.
    """
    if ":organization:" not in author:
        warning = "LinkedIn says that it has this post already; whether it is public could not be checked."
        return replace(published(urn), warning=warning)
    try:
        post = json_object(await call(connection, "GET", f"/rest/posts/{segment(urn)}"))
        require_same("LinkedIn", post.get("author"), author)
    except PlatformError as unread:
        if unread.status == httpx.codes.NOT_FOUND:
            message = "LinkedIn refuses the post as a repeat of one that it does not have."
            raise PlatformError(ErrorKind.UNCONFIRMED, message, code="repeats_a_ghost", status=error.status) from unread
        if unread.status != httpx.codes.FORBIDDEN:
            raise unread.as_unconfirmed() from unread
        return replace(published(urn), warning="LinkedIn does not let this app check whether the post is public.")
    return published(urn)


def post_author(connection: LinkedInConnection, context: LinkedInContext) -> str:
    """Return the author: the page that the post or the account names, else the member."""
    page = context.draft.settings.organization_urn or connection.credentials.organization_urn
    return page or f"urn:li:person:{connection.account.user_id}"


async def _explain_to_author(
    error: PlatformError, connection: LinkedInConnection, context: LinkedInContext
) -> PlatformError:
    """Return what a refusal means for the author of the post.

    LinkedIn may also say that the app lacks a product if the member has no role on the page, so the roles are read.
    """
    page = context.draft.settings.organization_urn or connection.credentials.organization_urn
    named = page if page != connection.credentials.organization_urn else None
    if page and error.kind is ErrorKind.OPERATOR and error.status == httpx.codes.FORBIDDEN:
        with suppress(PlatformError):
            roles = await _roles(connection, page)
            if not roles & POSTING_ROLES:
                message = f"This LinkedIn member may not post for {page}."
                error = PlatformError(ErrorKind.AUTH, message, code="no_role", status=error.status)
            elif error.code == errors.NO_VIDEOS and VIDEO_ROLE not in roles:
                # The app's other accounts may well have the right, so they are not held.
                message = (
                    f"LinkedIn takes videos of {page} from its administrators only, and this member is a content admin."
                )
                error = PlatformError(ErrorKind.REJECTED, message, code="no_video_role", status=error.status)
    return errors.explain_to_author(error, is_page=bool(page), named=named)


def _names_repeats(draft: Draft[LinkedInSettings]) -> bool:
    """Return whether LinkedIn surely refuses a repeat of the post. For media and polls that is unproven."""
    return not draft.media and draft.settings.poll is None


def _too_late(context: LinkedInContext) -> bool:
    return datetime.now(UTC) - datetime.fromisoformat(context.handles[SENT_AT]) > REPEAT_WITHIN
