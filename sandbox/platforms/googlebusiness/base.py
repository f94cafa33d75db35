"""Google's errors, and its numbers of accounts."""

from abc import ABC
from typing import Any

from sandbox.accounts import Account
from sandbox.fake_platform import FakePlatform, Route
from sandbox.wire import Answer, RefusedError, Request

SERVICE = "mybusiness.googleapis.com"
QUERIES_PER_MINUTE = 300
OTHER_GROUP, OTHER_LOCATION = "204", "777"
_STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}
_MESSAGES = {
    400: "Request contains an invalid argument.",
    401: "Request had invalid authentication credentials. Expected OAuth 2 access token.",
    403: "The caller does not have permission",
    404: "Requested entity was not found.",
    429: "Quota exceeded for quota metric 'Requests' and limit 'Requests per minute'.",
    500: "Internal error encountered.",
    503: "The service is currently unavailable.",
}


def google_error(status: int, message: str | None = None, *faults: dict[str, Any]) -> Answer:
    """Return an error in the form of Google's APIs; `faults` name fields."""
    error: dict[str, Any] = {
        "code": status,
        "message": message or _MESSAGES.get(status, "Unknown error."),
        "status": _STATUSES.get(status, "UNKNOWN"),
    }
    if faults:
        kind = "type.googleapis.com/google.mybusiness.v4.ValidationError"
        error["details"] = [{"@type": kind, "errorDetails": list(faults)}]
    return Answer.json({"error": error}, status)


def invalid(field: str, message: str, code: str | int = 3) -> RefusedError:
    """Refuse one field of a post."""
    return RefusedError(google_error(400, None, {"code": code, "field": field, "message": message}))


def _operator(status: int, reason: str, metadata: dict[str, str]) -> Answer:
    info = {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": reason,
        "domain": "googleapis.com",
        "metadata": {"consumer": "projects/1234567890", **metadata},
    }
    body = {"code": status, "message": _MESSAGES[status], "status": _STATUSES[status], "details": [info]}
    return Answer.json({"error": body}, status)


class FakeGoogle(FakePlatform, ABC):
    """State and methods that all of Google's routes share. An account of the sandbox is one location of a user."""

    refuses_app_for = frozenset({"publish", "confirm"})
    renewal_path = "/token"
    conditions = {  # noqa: RUF012
        "organisation": "The user has an organisation and a group beside: both list the location too.",
        "other_group": "The user manages a group too, with location 777, on which only that group may post.",
        "unlisted_account": "One of the user's accounts may not be listed.",
        "not_approved": "The project has a quota of 0: Google has not approved it.",
        "account_restricted": "Google does not let the profile post in its present state.",
    }

    def app_refused(self) -> Answer:
        """Return the response if the v4 API is not enabled, which is the case until Google has approved the project."""
        return _operator(403, "SERVICE_DISABLED", {"service": SERVICE, "serviceTitle": "Google My Business API"})

    def failure(self, status: int, message: str | None = None) -> Answer:
        """Return the response to a failure, by its status alone."""
        return google_error(status, message)

    def unauthorized(self) -> Answer:
        """Return the response to an unknown, missing or expired token, which Google does not tell apart."""
        return google_error(401)

    def rate_limited(self, seconds: float) -> Answer:
        """Return the response to a reached limit; Google does not say when it resets."""
        return google_error(429)

    async def serve(self, route: Route, request: Request) -> Answer:
        """Count the request against the minute's quota."""
        account = self.world.accounts.by_token(self.platform, request.bearer)
        if self.holds("not_approved", account):
            return _operator(429, "RATE_LIMIT_EXCEEDED", {"service": SERVICE, "quota_limit_value": "0"})
        if not self.world.windows.take((self.platform,), QUERIES_PER_MINUTE, 60).allowed:
            return self.rate_limited(60)
        return await route.handler(request)


def account_number(account: Account) -> str:
    """Return the number of the Google account that manages a location, made from the location's number."""
    return f"1{account.user_id[-17:]:0>17}"
