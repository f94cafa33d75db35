"""The decisions after a step towards a platform, as the attempt log has them. A post's history is made from them."""

READY = "ready to publish"
PUBLISHED = "published"
FAILED = "failed"
CONTENT_REFUSED = "failed: the platform refuses the content"
"""The platform has read the content or its settings, and will not publish them: surely nothing is public."""
HELD_FOR_ACCOUNT = "held until its account can publish"
HELD_FOR_OPERATOR = "held until the operator has corrected the app"
PUBLIC = "it is public"
PUBLIC_UNLISTED = "it is public, and the platform does not list it"
SENT_AGAIN = "it is not public; it is sent again"
REFUSED_LATER = "the platform took it, then refused it"
REFUSED_AFTER_ALL = "it is not public: the platform's refusal counts"
REFUSED_UNREAD = "the platform cannot tell; its own refusal counts"
MAY_BE_SENT = "it is not public; it may be sent"
SENT_AGAIN_UNREAD = "it cannot be looked up; it is sent again, because the platform refuses a repeat"
MAY_BE_SENT_UNREAD = "it cannot be looked up; it may be sent, because the platform refuses a repeat"
ASKED_BEFORE_SEND = "an earlier send may have reached it; confirming before it is sent again"
CUT_OFF = "the platform lists more than is read of a response; confirming again"
PERSON_MUST_DECIDE = "the platform cannot tell; a person must decide"

HELD = frozenset({HELD_FOR_ACCOUNT, HELD_FOR_OPERATOR})
PUBLIC_AFTER_ALL = frozenset({PUBLIC, PUBLIC_UNLISTED})
FAILURES = frozenset({FAILED, CONTENT_REFUSED})
NOT_PUBLIC = frozenset({REFUSED_LATER, REFUSED_AFTER_ALL, REFUSED_UNREAD})
