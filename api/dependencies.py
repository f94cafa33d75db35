"""The dependencies of the API, made by the process or test that starts it, and the API's own addresses."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import timedelta

from litestar.di import NamedDependency
from litestar.params import SkipValidation

from api.http.headers import HttpRequest
from api.shared.caches import CampaignProgress, ClosedGates, Restoring, StrangerLookups
from api.shared.delivery import Delivery
from api.shared.request_limits import RequestLimits
from api.shared.waiting import (
    MOST_CHECKS,
    MOST_CHECKS_OF_ONE,
    MOST_COUNTS,
    MOST_COUNTS_OF_ONE,
    MOST_IMPORTS,
    MOST_IMPORTS_OF_ONE,
    MOST_WRITERS,
    MOST_WRITERS_OF_ONE,
    TOO_MANY_CHECKS,
    TOO_MANY_COUNTS,
    TOO_MANY_IMPORTS,
    TOO_MANY_WRITERS,
    ConcurrentRequests,
    Repeats,
    WaitingRequests,
)
from api.shared.workspace_usage import WorkspaceLimits, WorkspaceUsage
from domain.errors import Problem
from domain.post import LATE_AFTER
from domain.request_limits import Rates
from domain.uploads import MEDIA_KEPT, UPLOAD_QUOTA
from media.local_hosts import LocalHosts
from reconcile.readiness import Readiness
from storage.base import Storage
from store.announcer import Outcomes
from store.database import Database
from store.events import FeedWatch
from workflows.client.post_workflows import PostWorkflows

TESTS_A_MINUTE = 5
"""Tests of endpoints of one workspace, in each API process; our choice."""
TOO_MANY_TESTS = Problem(f"Webhooks may be tested {TESTS_A_MINUTE} times a minute; please wait", "rate_limited")


@dataclass(frozen=True, slots=True)
class Dependencies:
    """The process's connections. They belong to its event loop."""

    database: Database
    workflows: PostWorkflows
    outcomes: Outcomes
    feeds: FeedWatch
    delivery: Delivery
    readiness: Readiness
    restoring: Restoring
    request_limits: RequestLimits
    usage: WorkspaceUsage
    waiting: WaitingRequests
    checks: ConcurrentRequests
    """Validations that look at files."""
    counts: ConcurrentRequests
    """Requests that count posts."""
    imports: ConcurrentRequests
    """Requests with up to 10,000 posts."""
    strangers: StrangerLookups
    repeats: Repeats
    redirect_urls: frozenset[str]
    """Addresses to which platforms may send people back who connect an account; any if it is empty."""
    public_url: str | None
    """Where people and platforms reach this API, without a slash at the end."""
    closed_gates: ClosedGates
    campaign_progress: CampaignProgress
    local_hosts: LocalHosts
    """The hosts from which workers fetch no media, as far as a URL shows it."""
    operator_name: str | None
    """The operator's name for people who connect an account."""
    webhook_hosts: LocalHosts
    """The hosts to which workers send no events, as far as a URL shows it."""
    webhook_tests: Rates
    """The tests of endpoints that a workspace may ask for."""
    storage: Storage | None
    """The store of uploads; None if the operator has set none."""
    uploads: ConcurrentRequests
    """Requests that bring files."""
    upload_quota: int
    """Bytes of a workspace's uploads; 0 for any number."""
    media_url: str | None
    """Where platforms and people reach uploads, if it is not `public_url`, without a slash at the end."""
    media_kept: timedelta
    """How long an upload is kept after the last post that names it."""
    verification_files: Mapping[str, str]
    """Texts by the names of files under /media/ by which platforms verify that the operator owns that address."""

    @classmethod
    def assemble(
        cls,
        database: Database,
        workflows: PostWorkflows,
        outcomes: Outcomes,
        late_after: timedelta = LATE_AFTER,
        request_limits: RequestLimits | None = None,
        limits: WorkspaceLimits | None = None,
        redirect_urls: Collection[str] = (),
        public_url: str | None = None,
        local_hosts: LocalHosts | None = None,
        operator_name: str | None = None,
        webhook_hosts: LocalHosts | None = None,
        storage: Storage | None = None,
        upload_quota: int = UPLOAD_QUOTA,
        media_url: str | None = None,
        media_kept: timedelta = MEDIA_KEPT,
        verification_files: Mapping[str, str] | None = None,
    ) -> "Dependencies":
        """Return the dependencies over the process's connections and settings."""
        delivery = Delivery(database, workflows)
        return cls(
            database,
            workflows,
            outcomes,
            FeedWatch(database),
            delivery,
            Readiness(database, workflows.queues, late_after, storage),
            Restoring(database),
            request_limits or RequestLimits(database),
            WorkspaceUsage(database, limits),
            WaitingRequests(),
            ConcurrentRequests(MOST_CHECKS, MOST_CHECKS_OF_ONE, TOO_MANY_CHECKS, retry_after=5),
            ConcurrentRequests(MOST_COUNTS, MOST_COUNTS_OF_ONE, TOO_MANY_COUNTS, retry_after=1),
            ConcurrentRequests(MOST_IMPORTS, MOST_IMPORTS_OF_ONE, TOO_MANY_IMPORTS, retry_after=5),
            StrangerLookups(),
            Repeats(),
            frozenset(redirect_urls),
            public_url.rstrip("/") if public_url else None,
            ClosedGates(database),
            CampaignProgress(database),
            local_hosts or LocalHosts(),
            operator_name,
            webhook_hosts or LocalHosts(),
            Rates(TESTS_A_MINUTE / 60, TESTS_A_MINUTE, problem=TOO_MANY_TESTS),
            storage,
            ConcurrentRequests(MOST_WRITERS, MOST_WRITERS_OF_ONE, TOO_MANY_WRITERS, retry_after=10),
            upload_quota,
            media_url.rstrip("/") if media_url else None,
            media_kept,
            verification_files or {},
        )


Deps = NamedDependency[SkipValidation[Dependencies]]
"""How a handler asks for them."""


THUMBNAIL_PATH = "/media/t/"
"""The path of thumbnails, before the token."""


def api_base(deps: Dependencies, request: HttpRequest) -> str:
    """Return the address of this API, without a slash at the end: the configured one, else that of the request."""
    return deps.public_url or str(request.base_url).rstrip("/")


def thumbnail_url(deps: Dependencies, request: HttpRequest, token: str) -> str:
    """Return the address of a thumbnail at this API itself, whose pages show no other pictures."""
    return f"{api_base(deps, request)}{THUMBNAIL_PATH}{token}.jpg"
