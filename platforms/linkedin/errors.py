"""The mapping of LinkedIn's error responses to kinds of PlatformError and messages for people."""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from platforms.errors import DUPLICATE, ErrorKind, Meanings, PlatformError
from platforms.http.refusals import Body, Refusals, fields, is_number, matches, repeats_status
from platforms.http.wire import json_object

_CAPS = {
    "throttle limit": "This account, or the app behind this service, has used up LinkedIn's quota of the day.",
    "share limit has been reached for unverified members": (
        "LinkedIn lets members whose identity is not verified share little in a day. Verify it at LinkedIn."
    ),
}
"""The daily limits by a part of their message, in lower case. LinkedIn does not say which quota is used up, or when it
resets; the one of unverified members was reported by clients in October 2026."""
_STILL_WORKING = ("is processing", "still being processed", "waiting upload", "waiting_upload")
FORBIDDEN_MEDIUM = "medium_forbidden"
"""Our code: LinkedIn forbids access to a medium of the account's own, and has no code for that."""
_FORBIDDEN_MEDIUM = re.compile(r"accessing this (?:image|video) resource is forbidden", re.IGNORECASE)
"""Shortly after an upload this passes by itself, as a publisher in production has found."""
MEDIA_WAIT = timedelta(seconds=5)

UNUSABLE_MEDIA = frozenset(
    {"MEDIA_ASSET_PROCESSING_FAILED", "INVALID_IMAGE_ID", "EXPIRED_UPLOAD_URL", FORBIDDEN_MEDIUM}
)
"""Codes after which only a new upload of the media can help."""

_URN = re.compile(r"urn:li:(?:share|ugcPost|activity):\d+")

_VERSION = "LinkedIn has withdrawn the version of its API that is spoken here. The operator must set a newer one."
_PERMISSION = "LinkedIn does not allow this: the account lacks a permission or its role on the page. Reconnect it."
_WAITING = "MEDIA_ASSET_WAITING_UPLOAD"
_BY_CODE = {
    _WAITING: (ErrorKind.NOT_READY, "LinkedIn is still processing the media."),
    "EXPIRED_UPLOAD_URL": (ErrorKind.TRANSIENT, "The upload at LinkedIn expired before it was complete."),
    "MEDIA_ASSET_PROCESSING_FAILED": (
        ErrorKind.REJECTED,
        "LinkedIn could not process the media. Export the file again.",
    ),
    "INVALID_IMAGE_ID": (ErrorKind.REJECTED, "LinkedIn does not take this image. Give a JPEG, PNG or GIF."),
    "NONEXISTENT_VERSION": (ErrorKind.OPERATOR, _VERSION),
    "VERSION_MISSING": (ErrorKind.OPERATOR, _VERSION),
    "ACCESS_DENIED": (ErrorKind.AUTH, _PERMISSION),
    "FIELD_LENGTH_TOO_LONG": (ErrorKind.REJECTED, "A text of the post is too long for LinkedIn. Shorten it."),
    "INVALID_VALUE_BLANK_FIELD": (ErrorKind.REJECTED, "LinkedIn does not publish a post without a text here."),
    "CONFLICT": (ErrorKind.TRANSIENT, "LinkedIn was working on the same thing already."),
}
_WAITED_FOR = frozenset({_WAITING, "MEDIA_ASSET_PROCESSING_FAILED"})
NO_PRODUCT, NO_COMMENTS = "no_product", "no_comments"
NO_VIDEOS = "no_product_videos"
NO_PAGES, NO_MEMBERS = "no_product_for_pages", "no_product_for_members"
"""Our codes: LinkedIn's is ACCESS_DENIED for all of them."""
_LACKING = re.compile(
    r"Not enough permissions to access: (?:"
    r"partnerApi(?P<posts>Posts)(?:External)?\.CREATE"
    r"|partnerApi(?P<media>Images|Videos|Documents)(?:External)?"
    r"|(?:partnerApiS|s)ocialActions\.CREATE)"
)
"""LinkedIn names the API that the app was not granted; reported by clients, also with a version after it."""
_WITHOUT_AUTHOR = re.compile(r"no_product(?:_(images|videos|documents))?")
_OF_AUTHOR = re.compile(r"no_product(?:_(?P<media>images|videos|documents))?_for_(?P<who>pages|members)")
_PRODUCTS = {
    NO_PRODUCT: "LinkedIn has not granted this service's app the product that posting here needs. Ask for it.",
    NO_PAGES: (
        "LinkedIn lets this service's app post for no company pages. Ask LinkedIn for the product Community "
        "Management, in its standard tier."
    ),
    NO_MEMBERS: (
        "LinkedIn lets this service's app post for no members. Add the product Share on LinkedIn to the app, and "
        "connect accounts with w_member_social."
    ),
    NO_COMMENTS: (
        "LinkedIn lets this service's app write no comments. That takes the product Community Management, and "
        "w_member_social_feed (for pages w_organization_social_feed) when the account is connected."
    ),
}
_MEANINGS = Meanings(
    "LinkedIn",
    others={
        403: (ErrorKind.AUTH, _PERMISSION),
        409: _BY_CODE["CONFLICT"],
        413: (ErrorKind.REJECTED, "The file is too large for LinkedIn."),
        415: (ErrorKind.REJECTED, "LinkedIn does not take this kind of file."),
        426: _BY_CODE["NONEXISTENT_VERSION"],
    },
    words=(("Unable to obtain activity", (ErrorKind.TRANSIENT, "LinkedIn had an error of its own.")),),
)
"""Source: learn.microsoft.com/en-us/linkedin/shared/api-guide/concepts/error-handling and the pages of the APIs."""

_TRUSTED: frozenset[str] = frozenset(
    {
        *(name for name, (_, sentence) in _BY_CODE.items() if sentence != _BY_CODE["CONFLICT"][1]),
        *(DUPLICATE, FORBIDDEN_MEDIUM, NO_COMMENTS),
        *("http_403", "http_413", "http_426"),
        *("MISSING_FIELD", "UNPROCESSABLE_ENTITY", "RESOURCE_NOT_FOUND"),
    }
)
_known_fields = fields(
    "status",
    optional=("code", "message", "serviceErrorCode", "errorDetails", "errorDetailType"),
    code=matches("[A-Z][A-Z_]+"),
    serviceErrorCode=is_number,
)


def _is_error(body: Body, status: int) -> bool:
    """Return whether a body is LinkedIn's. If it has no code, its words are LinkedIn's: gateways repeat the status."""
    words = str(body.get("message") or "")
    has_code = bool({"code", "serviceErrorCode", "errorDetails"} & body.keys())
    is_known = any(cap in words.lower() for cap in _CAPS) or _FORBIDDEN_MEDIUM.search(words) is not None
    is_own = has_code or is_known or (status not in {401, 429} and not repeats_status(words, status))
    return _known_fields(body, status) and body["status"] == status and is_own


REFUSALS = Refusals(
    _is_error,
    lambda _, error: error.code in _TRUSTED or error.code.startswith(NO_PRODUCT),
)
"""Source: learn.microsoft.com/en-us/linkedin/shared/api-guide/concepts/error-handling."""


def read_error(response: httpx.Response) -> PlatformError:
    """Return the error of an error response; LinkedIn's own message is used only if the code is unknown to us."""
    body, status = json_object(response), response.status_code
    own_code = str(body.get("code") or _nested_code(body) or f"http_{status}")
    code, kind, sentence = _meaning(own_code, status, str(body.get("message") or ""))
    wait_for = None if code == FORBIDDEN_MEDIUM else _wait(kind)
    return PlatformError(kind, sentence, code=code, status=status, retry_after=wait_for)


def _meaning(code: str, status: int, message: str) -> tuple[str, ErrorKind, str]:
    """Return what a response means: our code or LinkedIn's, the kind and the sentence."""
    words = message.lower()
    if "duplicate" in words and (urn := _URN.search(message)):
        return DUPLICATE, ErrorKind.REJECTED, f"LinkedIn refuses a post that repeats {urn[0]} of this account."
    if status == 429 and (cap := next((sentence for part, sentence in _CAPS.items() if part in words), None)):
        return code, ErrorKind.CAPPED, cap
    if _FORBIDDEN_MEDIUM.search(message):
        return FORBIDDEN_MEDIUM, ErrorKind.NOT_READY, "LinkedIn forbids the media that were uploaded for the post."
    if any(part in words for part in _STILL_WORKING):
        return code if code in _WAITED_FOR else _WAITING, *_BY_CODE[_WAITING]
    if status == 403 and (lacking := _LACKING.search(message)):
        media = f"{NO_PRODUCT}_{lacking['media'].lower()}" if lacking["media"] else NO_COMMENTS
        product = NO_PRODUCT if lacking["posts"] else media
        return product, ErrorKind.OPERATOR, _PRODUCTS.get(product, _PRODUCTS[NO_PRODUCT])
    return code, *(_BY_CODE.get(code) or _MEANINGS.by_words(message) or _MEANINGS.by_status(status, message))


def _nested_code(body: Mapping[str, Any]) -> str | None:
    """Return the code of the first faulty input: many responses have none at the top (n8n-io/n8n#22899)."""
    details = body.get("errorDetails")
    inputs = details.get("inputErrors") if isinstance(details, dict) else None
    first = inputs[0] if isinstance(inputs, list) and inputs and isinstance(inputs[0], dict) else {}
    return str(first["code"]) if first.get("code") else None


def lacks(code: str, *, is_page: bool, media: Collection[str]) -> bool:
    """Return whether a refusal of the app, by its code, stops a page's or member's post with these kinds of media.

    `media` are images, videos or documents.
    """
    refused = _OF_AUTHOR.fullmatch(code)
    if refused is None:
        return True
    return refused["who"] == ("pages" if is_page else "members") and refused["media"] in {None, *media}


def explain_to_author(error: PlatformError, *, is_page: bool, named: str | None) -> PlatformError:
    """Return what a refusal means for the author of the post.

    `is_page` says whether the author is a company page. `named` is the page if the post names another one than the
    account's. If that page must not be written to, the account is not at fault.
    """
    kind, code, sentence = error.kind, error.code, error.message
    if lacking := _WITHOUT_AUTHOR.fullmatch(error.code):
        who = "pages" if is_page else "members"
        code = f"{error.code}_for_{who}"
        sentence = _PRODUCTS.get(code) or (
            f"LinkedIn lets this service's app upload no {lacking[1]} for {who}. Ask LinkedIn for the product "
            "Community Management."
        )
    elif named and error.kind is ErrorKind.AUTH and error.status == httpx.codes.FORBIDDEN:
        kind, sentence = (
            ErrorKind.REJECTED,
            f"LinkedIn does not let this member post for {named}. Check organizationUrn.",
        )
    else:
        return error
    return PlatformError(kind, sentence, code=code, status=error.status, request_id=error.request_id)


def repeated_urn(error: PlatformError) -> str | None:
    """Return the URN of the post that LinkedIn says it has already."""
    urn = _URN.search(error.message) if error.code == DUPLICATE else None
    return urn[0] if urn else None


def _wait(kind: ErrorKind) -> timedelta | None:
    if kind is ErrorKind.NOT_READY:
        return MEDIA_WAIT
    if kind is not ErrorKind.CAPPED:
        # LinkedIn's page says that throttles other than the daily ones pass within minutes.
        return None
    # LinkedIn's days end at midnight UTC; source: the same page.
    now = datetime.now(UTC)
    return (now + timedelta(days=1)).replace(hour=0, minute=1, second=0, microsecond=0) - now
