"""Answers that count as a platform's own refusals.

Once a public request was sent, it may have had its effect, whatever the answer says. Gateways answer in a platform's
place, answers arrive cut off, and platforms have reported errors for posts that they had made. So an answer counts as a
refusal only if its module lists it. Every other error leaves the outcome unknown, and the post is confirmed first.

Before that, nothing can have been published, and only a platform's own refusal may fail the post: a gateway's passes.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

import httpx

from platforms.errors import PASSING, ErrorKind, PlatformError
from platforms.http import answers

_NOT_APPLIED = frozenset({httpx.codes.UNAUTHORIZED, httpx.codes.TOO_MANY_REQUESTS})
"""Statuses that say themselves that a request was not applied; source: RFC 9110, 15.5.2, and RFC 6585, 4."""
_STATUSES = frozenset(HTTPStatus)

Body = Mapping[str, Any]
"""The JSON object of an answer."""
Envelope = Callable[[Body, int], bool]
"""Returns whether a JSON object, with the status of its response, has the form of a platform's own error, and contains
nothing else."""
Trust = Callable[[Body, PlatformError], bool]
"""Returns whether an error in the platform's own form proves that nothing was published."""

_OF_THE_REQUEST = frozenset({400, 404, 409, 410, 413, 415, 416, 422})
"""Statuses that only a server which has read the request gives for good reason. A gateway also refuses by others."""


def is_number(value: Any) -> bool:
    """Return whether a value is a JSON number."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def matches(pattern: str) -> Callable[[Any], bool]:
    """Return whether a value is a JSON string that a pattern describes as a whole."""
    return lambda value: isinstance(value, str) and re.fullmatch(pattern, value, re.DOTALL) is not None


def fields(*required: str, optional: tuple[str, ...] = (), **forms: Callable[[Any], bool]) -> Envelope:
    """Return the envelope whose members are all `required` ones, any `optional` ones and no other.

    A member that `forms` names has a value for which that is true.
    """
    needed, known = frozenset(required), frozenset(required) | frozenset(optional)
    return lambda body, _: (
        needed <= body.keys() <= known and all(has_form(body[name]) for name, has_form in forms.items() if name in body)
    )


def is_numbered(error: Body, status: int) -> bool:
    """Return whether an error has a number of the platform's own: gateways repeat the status."""
    code = error.get("code")
    return isinstance(code, int) and not isinstance(code, bool) and code != status


def within(name: str, inner: Envelope) -> Envelope:
    """Return the envelope whose only member, of this name, is an object of the form `inner`."""
    return lambda body, status: body.keys() == {name} and isinstance(body[name], dict) and inner(body[name], status)


def alternatives(*envelopes: Envelope) -> Envelope:
    """Return the envelope that has one of these forms."""
    return lambda body, status: any(envelope(body, status) for envelope in envelopes)


def repeats_status(name: str, status: int) -> bool:
    """Return whether a code or a text is only the status in other words, as gateways write it."""
    phrase = HTTPStatus(status).phrase if status in _STATUSES else ""
    words = re.sub(r"[^a-z]", "", name.lower())
    return name == f"http_{status}" or words == re.sub(r"[^a-z]", "", phrase.lower())


def codes(*names: str) -> Trust:
    """Return the trust in errors with these codes, as the module's PlatformErrors have them."""
    known = frozenset(names)
    return lambda _, error: error.code in known


@dataclass(frozen=True, slots=True)
class Refusals:
    """The refusals that a platform's module trusts.

    An error in the platform's own form is always trusted if its status is 401 or 429, and never if it is the platform's
    own fault (5xx).
    """

    envelope: Envelope
    """The form of the platform's own errors. A body with anything else, such as a post's id, has not this form."""
    trusts: Trust
    """Whether the platform reports an error before it makes anything. The module names the source."""
    in_success: bool = False
    """Whether the platform reports such errors with a status that means success."""
    is_plain: bool = False
    """Whether gateways have the platform's form, so that a code which only repeats the status proves nothing."""

    def outcome(self, response: httpx.Response, error: PlatformError) -> PlatformError:
        """Return the error of an answer to a public request: the refusal itself, or an unconfirmed error.

        An unconfirmed error carries what the platform itself said, if that would be final. It counts once the platform
        shows that nothing was published.
        """
        if not (response.is_client_error or (self.in_success and response.is_success)):
            return error.as_unconfirmed()
        if (body := self._own(response)) is None:
            return error.as_unconfirmed()
        if response.status_code in _NOT_APPLIED or self.trusts(body, error):
            return error
        return error.as_unconfirmed(claims=error.kind not in PASSING)

    def may_pass(self, response: httpx.Response, error: PlatformError) -> bool:
        """Return whether an answer before the public request may be a gateway's, although the error fails the post.

        It may be if it is not in the platform's own form. It may also be if a code in that form says no more than its
        status does. A 401 is left to the question whether the platform accepts the account, and no gateway lets a file
        pass later that is too large.
        """
        status = response.status_code
        fails = error.kind in {ErrorKind.REJECTED, ErrorKind.AUTH} and not response.is_success
        if not fails or status == httpx.codes.REQUEST_ENTITY_TOO_LARGE or (status, error.kind) == (401, ErrorKind.AUTH):
            return False
        is_bare = self.is_plain and error.kind is ErrorKind.REJECTED and repeats_status(error.code, status)
        return (is_bare and status not in _OF_THE_REQUEST) or self._own(response) is None

    def _own(self, response: httpx.Response) -> Body | None:
        """Return the body of an answer in the platform's own form, None for any other."""
        body = answers.parse(response)
        return body if isinstance(body, dict) and self.envelope(body, response.status_code) else None


NO_REFUSALS = Refusals(lambda *_: False, codes())
"""The refusals of a platform that has none which can be trusted."""
