"""Google Business Profile's limits, and what each kind of post needs."""

import re
from datetime import timedelta

from domain.post import MediaType
from domain.rate_limits import RateLimit
from platforms.base import AccountFacts, Draft
from platforms.googlebusiness.settings import GoogleBusinessSettings
from platforms.post_ids import PostId
from platforms.rules import FileRule, MediaRule, Rules, TextRule, Violation, setting

_POSTS = "developers.google.com/my-business/reference/rest/v4/accounts.locations.localPosts"
_PHOTOS = "support.google.com/business/answer/6103862"

RULES = Rules(
    post_id=PostId(
        r"accounts/[0-9]{1,30}/locations/[0-9]{1,30}/localPosts/[A-Za-z0-9_-]{1,128}",
        "a name such as accounts/1/locations/2/localPosts/3",
    ),
    text=TextRule(limit=1500, count=len, source=_POSTS),
    # Working clients send one photo, and videos always fail; Google's pages do not say so: unverified.
    media=MediaRule(max_items=1, max_of=((MediaType.IMAGE, 1),), source=_POSTS),
    files=(
        FileRule(
            MediaType.IMAGE,
            ("image/jpeg", "image/png"),
            # Google names 10 KB for photos of profiles, but not which kind of KB.
            min_bytes=10_000,
            max_bytes=5 * 1024 * 1024,
            min_width=250,
            min_height=250,
            source=_PHOTOS,
        ),
    ),
    # Google counts edits of a profile; that posts are edits is unverified.
    rate_limits=(RateLimit(10, timedelta(minutes=1), source="developers.google.com/my-business/content/limits"),),
)

_PHONE = re.compile(r"(?<![\w+])(?:\+\d[\d\s().-]{6,16}\d|\(\d{3}\)\s?\d{3}[\s.-]\d{4}|\d{3}[.-]\d{3}[.-]\d{4})(?!\w)")
"""A pattern of texts that surely are telephone numbers: Google's content policy forbids them in a post's text."""


def check(label: str, draft: Draft[GoogleBusinessSettings], _: AccountFacts) -> list[Violation]:
    """Return everything Google would reject; the file of the photo is not checked."""
    settings = draft.settings
    violations = RULES.check(label, draft.text, draft.media)
    if not draft.text.strip():
        violations.append(Violation("content", f"{label} needs text in every post"))
    if _PHONE.search(draft.text[: RULES.text.limit]):
        violations.append(
            Violation("content", f"{label} lets no telephone number stand in the text; use the CALL button instead")
        )
    topic = settings.topic
    if topic == "OFFER" and settings.call_to_action:
        violations.append(setting("callToAction", f"{label} puts its own button on an offer; leave callToAction out"))
    if topic in {"EVENT", "OFFER"} and not settings.event:
        violations.append(setting("event", f"{label} needs event with title and schedule for an {topic.lower()}"))
    if topic == "STANDARD" and settings.event:
        violations.append(setting("event", f"{label} takes event with the topicType EVENT or OFFER"))
    if topic != "OFFER" and settings.offer:
        violations.append(setting("offer", f"{label} takes offer with the topicType OFFER"))
    return violations
