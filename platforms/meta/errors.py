"""The mapping of the Graph API's errors for all of Meta's platforms; each adds the codes that are its own."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import httpx

from platforms.errors import ErrorKind, Meanings, PlatformError
from platforms.http.refusals import Refusals, is_numbered, within
from platforms.http.untrusted import wait
from platforms.http.wire import error_object
from platforms.meta.graph import NO_PROOF

UNKNOWN_CHILDREN = "unknown_children"
"""Our code for a carousel whose items are not known yet although they read as finished; reported by several clients."""
GONE = "100/33"
"""The code by which the whole Graph API says that an id does not exist."""


_STATE = "does not let this service's app publish. Look into the app's state at Meta."
_PROOF = "wants another proof of the app's secret. Check clientSecret in the account's credentials."
_OF_THE_APP = (
    "API access blocked",
    "app is in development mode",
    "App Not Active",
    "does not have the capability",
    "must be reviewed and approved",
)
"""Parts of messages about the operator's app: its mode, its review, its status."""
_OF_THE_ACCOUNT = ("permission", "authorized", "scope")
"""Parts of messages, with codes for permissions, that concern the whole account and not one post."""
BLOCKED_FOR = timedelta(hours=6)
"""How long to wait after a temporary block; Meta names no time, the number is ours."""


_THROTTLED = frozenset({4, 17, 32, 341, 613, *range(80000, 80015)})
_TOKEN = frozenset({102, 104, 190})
_PERMISSIONS = frozenset({3, 10, *range(200, 300)})
_BLOCKED = 368
_BEFORE_ALL = _THROTTLED | _TOKEN | _PERMISSIONS | {_BLOCKED}
"""Codes of limits, tokens and permissions, which the Graph API checks first. Source: its page on errors,
developers.facebook.com."""
_OWN_FAULTS = frozenset({-1, 1, 2})
"""Codes of failures of Meta's own, also with status 400 and with any subcode. Posts were public after them
(arsduo/koala#699, gitroomhq/postiz-app PR#1681)."""
_INVALID = 100
"""The code of an invalid parameter; with a subcode it may be anything."""
_MEMBERS = (
    *("message", "type", "code", "error_subcode", "error_user_title", "error_user_msg", "error_data"),
    *("fbtrace_id", "is_transient"),
)


@dataclass(frozen=True, slots=True)
class Meaning:
    """The meaning of a code; `code` is ours, if it has one, `wait` applies if the response reports no time."""

    kind: ErrorKind
    sentence: str
    code: str | None = None
    wait: timedelta | None = None


@dataclass(frozen=True, slots=True)
class ErrorMapping:
    """The error mapping of a platform; `owner` is the platform's name for the accounts that publish.

    `words` are parts of messages, which decide if a code alone is ambiguous.
    """

    label: str
    owner: str = "account"
    subcodes: Mapping[int, Meaning] = field(default_factory=dict)
    codes: Mapping[int | str, Meaning] = field(default_factory=dict)
    words: Mapping[str, Meaning] = field(default_factory=dict)

    @property
    def shared(self) -> Meanings:
        """Return the meanings that other platforms have, too."""
        return Meanings(self.label, self.owner)

    def read_error(self, response: httpx.Response) -> PlatformError:
        """Return the error of an error response; the platform's own message is used only if its code is unknown."""
        body, status = error_object(response), response.status_code
        code, subcode = self._code(body), number(body, "error_subcode")
        meaning = self._meaning(body, code, subcode, response)
        own_code = "/".join(str(part) for part in (code, subcode) if part is not None)
        return PlatformError(
            meaning.kind,
            meaning.sentence,
            code=meaning.code or own_code or f"http_{status}",
            status=status,
            request_id=body.get("fbtrace_id"),
            retry_after=(_regained(response) if meaning.kind is ErrorKind.RATE_LIMITED else None) or meaning.wait,
        )

    def refusals(self, *, untrusted: Collection[int] = ()) -> Refusals:
        """Return the refusals that count after a public request.

        `untrusted` are codes and subcodes that the platform has reported for posts that it had published.
        """

        def trusts(body: Mapping[str, Any], error: PlatformError) -> bool:
            inner = body["error"]
            code, subcode = self._code(inner), number(inner, "error_subcode")
            if code in _OWN_FAULTS or code in untrusted or subcode in untrusted:
                return False
            if known := self.subcodes.get(subcode or 0) or self.codes.get(code or 0):
                return known.kind is not ErrorKind.TRANSIENT
            return error.kind is ErrorKind.OPERATOR or code in _BEFORE_ALL or (code == _INVALID and not subcode)

        def is_graphs(error: Mapping[str, Any], status: int) -> bool:
            known = {"message", "code"} <= error.keys() <= {*_MEMBERS}
            return known and (is_numbered(error, status) or error["code"] in self.codes)

        return Refusals(within("error", is_graphs), trusts)

    def _code(self, body: Mapping[str, Any]) -> int | str | None:
        """Return the code of an error response: a number, or one of the few known names."""
        named = body.get("code")
        return named if isinstance(named, str) and named in self.codes else number(body, "code")

    def _meaning(
        self, body: dict[str, Any], code: int | str | None, subcode: int | None, response: httpx.Response
    ) -> Meaning:
        message = str(body.get("error_user_msg") or body.get("message") or "")
        spoken = f"{message} {body.get('message')}"
        if "appsecret_proof" in spoken:
            return Meaning(ErrorKind.OPERATOR, f"{self.label} {_PROOF}", NO_PROOF)
        if any(part in spoken for part in _OF_THE_APP):
            return Meaning(ErrorKind.OPERATOR, f"{self.label} {_STATE}")
        own = self.subcodes.get(subcode or 0) or self.codes.get(code or 0)
        if own is None and code == -1 and body.get("is_transient") is False:
            return Meaning(ErrorKind.REJECTED, f"{self.label} refused: {message}")
        by_words = next((meaning for part, meaning in self.words.items() if part.lower() in spoken.lower()), None)
        if meaning := own or by_words or self._common(code, spoken):
            return meaning
        status = response.status_code
        if not response.is_error or (body.get("is_transient") is True and status not in {401, 429}):
            return Meaning(*self.shared.server)
        return Meaning(*self.shared.by_status(status, message))

    def _common(self, code: int | str | None, spoken: str) -> Meaning | None:
        """Return the meaning of a common code; source: the Graph API's page on errors, developers.facebook.com."""
        blocked = f"{self.label} has blocked this {self.owner} from posting for a while. Look into its standing."
        denied = (
            f"{self.label} does not allow this with the account's permissions. Reconnect the account and grant them."
        )
        rows = (
            (_OWN_FAULTS, Meaning(*self.shared.server)),
            # Each use case has a code of its own, 80000 to 80014, with status 400.
            (_THROTTLED, Meaning(*self.shared.throttled)),
            (_TOKEN, Meaning(*self.shared.reconnect)),
            ({_BLOCKED}, Meaning(ErrorKind.CAPPED, blocked, wait=BLOCKED_FOR)),
            (_PERMISSIONS if _is_of_the_account(spoken) else (), Meaning(ErrorKind.AUTH, denied)),
        )
        return next((meaning for codes, meaning in rows if code in codes), None)


def _is_of_the_account(spoken: str) -> bool:
    return any(part in spoken.lower() for part in _OF_THE_ACCOUNT)


def number(body: Mapping[str, Any], name: str) -> int | None:
    """Return a numeric code of an error object."""
    value = body.get(name)
    return value if isinstance(value, int) else None


def _regained(response: httpx.Response) -> timedelta | None:
    usage = response.headers.get("x-business-use-case-usage", "")
    return max(filter(None, _regain_times(usage)), default=None)


def _regain_times(usage: str) -> Iterator[timedelta | None]:
    try:
        for use_cases in json.loads(usage).values():
            for use_case in use_cases:
                yield wait(use_case["estimated_time_to_regain_access"], unit=timedelta(minutes=1))
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return
