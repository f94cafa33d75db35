"""The control side: what was published and sent, which failures come next, who has an account, sample media."""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from importlib import resources
from itertools import islice
from typing import Any, TypeVar

import msgspec
from litestar import Request, Response, delete, get, post
from litestar.handlers import HTTPRouteHandler
from litestar.params import FromPath

from sandbox import media
from sandbox.accounts import Account, DescribedAccount
from sandbox.authorization import App
from sandbox.fake_platform import FakePlatform
from sandbox.faults import APP_REFUSED, CLIENT_UNKNOWN, Condition, Fault, FaultBoard
from sandbox.posts import PublicPost
from sandbox.world import RequestLog, World

PAGE_SIZE = 60
T = TypeVar("T")


class ControlError(Exception):
    """A refusal of the control side; its text says why."""


AnyRequest = Request[Any, Any, Any]

_MEDIA_NAME = re.compile(r"(.+)\.([A-Za-z0-9]+)")
_FOR_GOOD = {"cache-control": "public, max-age=31536000, immutable"}


class _AccountList(msgspec.Struct, forbid_unknown_fields=True):
    accounts: list[DescribedAccount]


class Control:
    """The routes below /_/, and the page."""

    def __init__(
        self,
        world: World,
        faults: FaultBoard,
        log: RequestLog,
        fakes: Iterable[FakePlatform],
        failed: Mapping[str, str],
    ) -> None:
        self._world = world
        self._faults = faults
        self._log = log
        self._fakes = {fake.platform: fake for fake in fakes}
        self._failed = failed

    def handlers(self) -> list[HTTPRouteHandler]:
        """Return the route handlers."""
        return [
            get("/", sync_to_thread=False)(self.page),
            get("/_/health", sync_to_thread=False)(self.health),
            get("/_/posts", sync_to_thread=False)(self.posts),
            get("/_/feed", sync_to_thread=False)(self.feed),
            get("/_/requests", sync_to_thread=False)(self.requests),
            get("/_/faults", sync_to_thread=False)(self.faults),
            post("/_/faults")(self.program_fault),
            delete("/_/faults", status_code=200, sync_to_thread=False)(self.clear_faults),
            get("/_/conditions", sync_to_thread=False)(self.conditions),
            post("/_/conditions")(self.switch_on),
            delete("/_/conditions", status_code=200, sync_to_thread=False)(self.clear_conditions),
            get("/_/accounts", sync_to_thread=False)(self.accounts),
            post("/_/accounts")(self.upsert_accounts),
            post("/_/apps")(self.register_app),
            get("/_/tokens", sync_to_thread=False)(self.grants),
            delete("/_/tokens", status_code=200, sync_to_thread=False)(self.revoke_tokens),
            get("/_/media/{name:str}")(self.sample),
            get("/_/uploads/{name:str}", sync_to_thread=False)(self.upload),
        ]

    def page(self) -> Response[bytes]:
        """Show a person the published posts."""
        page = resources.files("sandbox").joinpath("page.html").read_bytes()
        return Response(page, media_type="text/html", headers={"cache-control": "no-cache"})

    def health(self) -> Response[bytes]:
        """Answer that the sandbox is running, with the platforms that it has and those whose fakes do not start."""
        fakes = {"platforms": list(self._fakes), "failed": self._failed}
        return _json({"status": "ok", **fakes, "realistic": self._world.realistic})

    def posts(self, request: AnyRequest) -> Response[bytes]:
        """List everything that ever became public, newest first."""
        filters = {"platform": request.query_params.get("platform"), "accountId": request.query_params.get("accountId")}
        since, entries = _moment(request.query_params.get("since")), []
        for item in self._world.posts.newest_first():
            shown = item.public()
            if item.created_at >= since and all(value in (None, shown[name]) for name, value in filters.items()):
                entries.append(shown)
        return _json({"posts": entries})

    def feed(self, request: AnyRequest) -> Response[bytes]:
        """Serve the newest `count` posts as the page shows them, or only the version if the page has them already."""
        query, posts = request.query_params, self._world.posts
        count, platform = query.get("count"), query.get("platform")
        limit = int(count) if count and count.isdecimal() else PAGE_SIZE
        current = f"{len(posts)}.{posts.version}.{limit}.{platform or ''}"
        if query.get("version") == current:
            return _json({"version": current})
        matching_posts = (post for post in posts.newest_first() if platform in (None, "", post.platform))
        cards = [self._card(post) for post in islice(matching_posts, limit)]
        shown = [
            {"name": fake.platform, "label": fake.label, "colour": fake.colour, "posts": posts.per_platform[name]}
            for name, fake in self._fakes.items()
        ]
        return _json({"version": current, "total": len(posts), "platforms": shown, "cards": cards})

    def requests(self, request: AnyRequest) -> Response[bytes]:
        """List the newest requests to the platforms, newest first."""
        query = request.query_params
        filters = {name: query.get(name) for name in ("platform", "operation", "accountId")}
        since, entries = _moment(query.get("since")), []
        for entry in self._log.newest_first():
            if entry.at < since:
                break
            shown = entry.public()
            if all(value in (None, shown[name]) for name, value in filters.items()):
                entries.append(shown)
        return _json({"requests": entries})

    def faults(self) -> Response[bytes]:
        """List the failures still to come."""
        return _json({"faults": self._faults.waiting()})

    async def program_fault(self, request: AnyRequest) -> Response[bytes]:
        """Program a failure."""
        fault = await _read(request, Fault)
        self._known(fault.platform, fault.account_id)
        answer = _json(fault, 201)
        self._faults.program(fault)
        return answer

    def clear_faults(self, request: AnyRequest) -> Response[bytes]:
        """Remove the programmed failures: all, or those of a platform, or of an account."""
        self._faults.clear(request.query_params.get("platform"), request.query_params.get("accountId"))
        return self.faults()

    def conditions(self) -> Response[bytes]:
        """List the conditions that are switched on, and those that each platform knows."""
        known = {name: {**_common(fake), **fake.conditions} for name, fake in self._fakes.items()}
        return _json({"conditions": self._world.conditions.all(), "known": known})

    async def switch_on(self, request: AnyRequest) -> Response[bytes]:
        """Switch a condition on, until it is cleared."""
        condition = await _read(request, Condition)
        fake = self._known(condition.platform, condition.account_id)
        if condition.condition not in {*_common(fake), *fake.conditions}:
            raise ControlError(f"Unknown condition {condition.condition!r} of {fake.platform} - at `$.condition`")
        self._world.conditions.switch_on(condition)
        return _json(condition, 201)

    def clear_conditions(self, request: AnyRequest) -> Response[bytes]:
        """Switch conditions off: all, or those of a platform, or of an account."""
        self._world.conditions.clear(request.query_params.get("platform"), request.query_params.get("accountId"))
        return self.conditions()

    def accounts(self) -> Response[bytes]:
        """List the accounts, without their tokens."""
        return _json({"accounts": self._account_list()})

    async def upsert_accounts(self, request: AnyRequest) -> Response[bytes]:
        """Add accounts to their platforms, or change them."""
        body = await _read(request, _AccountList)
        known = [
            (self._known(account.platform, where="$.accounts[...].platform"), account) for account in body.accounts
        ]
        for fake, account in known:
            fake.introduce(account)
        return _json({"accounts": self._account_list()})

    async def register_app(self, request: AnyRequest) -> Response[bytes]:
        """Register an app at a platform, with the addresses that it may send people back to."""
        app = await _read(request, App)
        self._known(app.platform)
        self._world.apps_and_codes.register(app)
        return _json({"platform": app.platform, "clientId": app.client_id, "redirectUris": app.redirect_uris}, 201)

    def revoke_tokens(self, request: AnyRequest) -> Response[bytes]:
        """Revoke the tokens of one account: its platform refuses it until it is connected again.

        With `only=access` its access tokens expire, and can be renewed.
        """
        access_only = request.query_params.get("only") == "access"
        accounts = self._world.accounts
        return self._with_account(request, accounts.end_access if access_only else accounts.revoke)

    def grants(self, request: AnyRequest) -> Response[bytes]:
        """List how the grants of one account were renewed, without their tokens."""
        return self._with_account(request, lambda _: None)

    def _with_account(self, request: AnyRequest, change: Callable[[Account], None]) -> Response[bytes]:
        platform, account_id = request.query_params.get("platform"), request.query_params.get("accountId")
        account = self._world.accounts.get(platform, account_id) if platform and account_id else None
        if account is None:
            raise ControlError("Name a known account by platform and accountId; GET /_/accounts lists them")
        holder = self._fakes[account.platform].token_holder(account)
        change(holder)
        grants = [
            {"renewals": grant.renewals, "replays": grant.replays, "ended": grant.ended} for grant in holder.grants
        ]
        return _json({"platform": platform, "accountId": account_id, "grants": grants})

    async def sample(self, name: FromPath[str]) -> Response[bytes]:
        """Serve a sample file; its look depends on its name."""
        match = _MEDIA_NAME.fullmatch(name)
        extension = match[2].lower() if match else ""
        if match is None or extension not in media.CONTENT_TYPES:
            return _json({"error": "Sample media end in " + ", ".join(media.CONTENT_TYPES)}, 404)
        try:
            content = await asyncio.to_thread(media.sample, match[1], extension)
        except ImportError:
            return _json({"error": "Sample media need the packages pillow and av"}, 501)
        return Response(content, media_type=media.CONTENT_TYPES[extension], headers=_FOR_GOOD)

    def upload(self, name: FromPath[str]) -> Response[bytes]:
        """Serve an uploaded file, as long as it is kept."""
        stored = self._world.uploads.get(name)
        if stored is None:
            return _json({"error": "No longer kept"}, 404)
        content_type, content = stored
        return Response(content, media_type=content_type, headers=_FOR_GOOD)

    def _card(self, post: PublicPost) -> dict[str, object]:
        account = self._world.accounts.get(post.platform, post.account_id)
        return {
            **post.public(),
            "kind": post.kind,
            "url": post.url,
            "media": post.media,
            "username": account.username if account else post.account_id,
            "premium": account.premium if account else False,
            "note": post.note,
            "edits": post.edits,
        }

    def _known(self, platform: str, account_id: str | None = None, where: str = "$.platform") -> FakePlatform:
        """Return the fake of a platform. Raises ControlError if it is unknown, or if it does not know the account."""
        fake = self._fakes.get(platform)
        if fake is None:
            raise ControlError(f"Unknown platform {platform!r} - at `{where}`")
        if account_id is not None and self._world.accounts.get(platform, account_id) is None:
            raise ControlError(f"Unknown account {account_id!r}; GET /_/accounts lists them - at `$.accountId`")
        return fake

    def _account_list(self) -> list[dict[str, object]]:
        return [
            {
                "platform": account.platform,
                "accountId": account.account_id,
                "userId": account.user_id,
                "username": account.username,
                "premium": account.premium,
            }
            for account in self._world.accounts
        ]


def _moment(text: str | None) -> float:
    """Return RFC 3339 in seconds since 1970. Raises ControlError."""
    try:
        return datetime.fromisoformat(text).timestamp() if text else 0.0
    except ValueError as error:
        raise ControlError(str(error)) from error


async def _read(request: AnyRequest, kind: type[T]) -> T:
    """Return a body. Raises ControlError."""
    try:
        return msgspec.json.decode(await request.body(), type=kind)
    except (msgspec.DecodeError, RecursionError) as error:
        raise ControlError(str(error)) from error


def _json(payload: object, status: int = 200) -> Response[bytes]:
    return Response(msgspec.json.encode(payload), status_code=status, media_type="application/json")


def refuse(_: AnyRequest, error: ControlError) -> Response[bytes]:
    """Return the answer to a request that the control side refuses."""
    return _json({"error": str(error)}, 400)


def _common(fake: FakePlatform) -> dict[str, str]:
    """Return the conditions that a platform has in addition to its own."""
    common = {APP_REFUSED: "The platform refuses the operator's app."}
    if fake.renewal_path is not None:
        common[CLIENT_UNKNOWN] = "The token endpoint does not know the app's id and secret."
    return common
