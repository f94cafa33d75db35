"""X's errors, ids and rate limits."""

import random
from abc import ABC
from http.client import responses

from sandbox.accounts import Account
from sandbox.fake_platform import FakePlatform, Route
from sandbox.ids import Snowflakes
from sandbox.wire import Answer, RefusedError, Request
from sandbox.world import World

PROBLEMS = "https://api.x.com/2/problems/"
EPOCH_MILLISECONDS = 1_288_834_974_657
"""The epoch of X's snowflake ids."""

WINDOW_SECONDS = 900
LIMITS = {
    "/2/tweets": 100,
    "/2/tweets/{id}": 50,
    "/2/users/me": 75,
    "/2/users/{id}/tweets": 900,
    "/2/media/upload": 500,
    "/2/media/upload/initialize": 1875,
    "/2/media/upload/{id}/append": 1875,
    "/2/media/upload/{id}/finalize": 1875,
    "/2/media/metadata": 500,
}
"""Requests per user in 15 minutes (X's rate limit page)."""
READ_LIMIT = 900
STATUS_LIMIT = 1000


def problem(status: int, title: str, detail: str, kind: str = "about:blank", **more: object) -> Answer:
    """Return an error in X's form."""
    body = {"title": title, "detail": detail, "type": kind, "status": status, **more}
    return Answer.json(body, status, content_type="application/problem+json")


def invalid(message: str, **parameters: list[str]) -> RefusedError:
    """Refuse a request whose parameters are wrong, with status 400."""
    return RefusedError(
        problem(
            400,
            "Invalid Request",
            "One or more parameters to your request was invalid.",
            f"{PROBLEMS}invalid-request",
            errors=[{"parameters": parameters, "message": message}],
        )
    )


def forbidden(detail: str) -> RefusedError:
    """Refuse, with status 403, a request that the rules of X do not allow."""
    return RefusedError(problem(403, "Forbidden", detail))


class FakeX(FakePlatform, ABC):
    """State and methods that all of X's routes share."""

    refuses_app_for = frozenset({"prepare", "publish", "confirm", "edit", "delete", "auth"})
    renewal_path = "/2/oauth2/token"
    conditions = {  # noqa: RUF012
        "not_mentioned": "No post but the account's own may be replied to or quoted.",
        "spend_cap_reached": "All calls are refused with 403 SpendCapReached.",
        "app_forbidden": "All calls are refused with 403 client-forbidden, as those of apps without access are.",
        "short_videos": "Videos of more than two minutes are refused when they are published.",
        "small_pieces": "Pieces of an upload over 1 MiB are answered 413.",
    }

    def __init__(self, world: World) -> None:
        super().__init__(world)
        self.ids = Snowflakes(world.now, EPOCH_MILLISECONDS)

    def failure(self, status: int, message: str | None = None) -> Answer:
        """Return the response to a failure, by its status alone."""
        title = responses.get(status, "Error")
        return problem(status, title, message or title)

    def refused_content(self) -> Answer:
        """Return the response to a post that does not pass validation."""
        return problem(400, "Invalid Request", "One or more parameters to your request was invalid.")

    def unauthorized(self) -> Answer:
        """Return the response to an unknown or missing token."""
        return problem(401, "Unauthorized", "Unauthorized")

    def rate_limited(self, seconds: float) -> Answer:
        """Return the response to a reached limit."""
        return self._too_many(100, self.world.now() + seconds)

    def app_refused(self) -> Answer:
        """Return the response to an app whose credits are used up."""
        return problem(402, "Payment Required", "credits depleted", f"{PROBLEMS}credits-depleted")

    async def serve(self, route: Route, request: Request) -> Answer:
        """Count the request against its window, and report the count in the answer's headers."""
        limit = LIMITS.get(route.path, READ_LIMIT) if request.method != "GET" else _read_limit(route.path)
        account = self.world.accounts.by_token(self.platform, request.bearer)
        who = account.account_id if account else ""
        window = self.world.windows.take((self.platform, who, request.method, route.path), limit, WINDOW_SECONDS)
        if not window.allowed:
            return self._too_many(limit, window.resets_at)
        try:
            self._check_app(account)
            answer = await route.handler(request)
        except RefusedError as refused:
            answer = refused.answer
        return answer.with_headers(
            {
                "x-rate-limit-limit": str(limit),
                "x-rate-limit-remaining": str(window.remaining),
                "x-rate-limit-reset": str(int(window.resets_at)),
                "x-transaction-id": f"{random.getrandbits(64):016x}",
            }
        )

    def _check_app(self, account: Account | None) -> None:
        """Refuse a request that the operator's app may not send."""
        if self.holds("spend_cap_reached", account):
            message = "The app has reached its spend cap for this billing cycle."
            raise RefusedError(problem(403, "SpendCapReached", message))
        if self.holds("app_forbidden", account):
            message = "You must use keys and tokens from a developer App that is attached to a Project."
            kind = f"{PROBLEMS}client-forbidden"
            raise RefusedError(problem(403, "Client Forbidden", message, kind, reason="client-not-enrolled"))

    def _too_many(self, limit: int, resets_at: float) -> Answer:
        answer = problem(429, "Too Many Requests", "Too Many Requests")
        return answer.with_headers(
            {
                "x-rate-limit-limit": str(limit),
                "x-rate-limit-remaining": "0",
                # Whole seconds, rounded up, so that a client that waits until then is admitted.
                "x-rate-limit-reset": str(-int(-resets_at // 1)),
            }
        )


def _read_limit(path: str) -> int:
    return STATUS_LIMIT if path == "/2/media/upload" else LIMITS["/2/users/me"] if path == "/2/users/me" else READ_LIMIT
