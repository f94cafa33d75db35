"""The numbers of docs/limits.md are those of the code, and it names every table that grows."""

import re
from datetime import timedelta
from pathlib import Path

import pytest

from api.accounts.actions import MOST_CHECKS as MOST_ACCOUNT_CHECKS
from api.accounts.actions import MOST_LISTS
from api.bulk import actions as bulk_actions
from api.bulk.actions import FILES_BEGIN_WITHIN_S
from api.bulk.bodies import MOST_POSTS as MOST_OF_A_REQUEST
from api.calendar.days import MOST_FOLLOWERS, MOST_OF_DAY
from api.calendar.plans import MOST_DAYS as CALENDAR_DAYS
from api.connect.begin import MOST_AN_HOUR
from api.http.body import _MAX_DEPTH, LARGE_BYTES, LARGEST_ROW, MAX_BYTES, MAX_PROBLEMS
from api.http.middleware import SLOWEST_UPLOAD
from api.http.protocol import KEEP_ALIVE_S, LARGEST_HEAD, LONGEST_ADDRESS, ApiProtocol
from api.http.sockets import MOST_CONNECTIONS, MOST_PER_ADDRESS, MOST_UNREAD, SILENT_S, SLOWEST, Unread
from api.media.receiving import LARGEST_FORM_FILE
from api.posts.bodies.schemas import _LONGEST_URL, _MAX_ROOT_SETTINGS, LONGEST_NAME
from api.posts.changes.post_change import MOST_ATTEMPTS
from api.posts.changes.update import MOST_REVISIONS
from api.posts.counts import MOST_COUNTED, MOST_DAYS
from api.posts.many.checking import (
    MOST_PROBLEMS_OF_ROW,
    MOST_ROW_PROBLEMS,
    MOST_ROW_TARGETS,
    MOST_ROW_VALUES,
    MOST_ROWS,
)
from api.posts.media_checks import MOST_FILES as MOST_CHECKED_FILES
from api.shared.waiting import (
    MOST_CHECKS,
    MOST_CHECKS_OF_ONE,
    MOST_COUNTS,
    MOST_COUNTS_OF_ONE,
    MOST_IMPORTS,
    MOST_IMPORTS_OF_ONE,
    MOST_REPEATS,
    MOST_WAITING,
    MOST_WRITERS,
    MOST_WRITERS_OF_ONE,
)
from api.shared.workspace_usage import MOST_MB, MOST_OPEN_POSTS, MOST_POSTS, WRITE_BURST, WRITES_PER_S
from domain.campaigns import MOST_BLACKOUTS, MOST_CAMPAIGNS
from domain.request_limits import POSTS_BURST, POSTS_PER_MINUTE, REQUESTS_PER_MINUTE
from domain.series import MOST_AHEAD, MOST_SERIES
from domain.uploads import (
    FETCH_AGAIN_AFTER,
    FETCHES_OF_WORKSPACE,
    LARGEST_UPLOAD,
    MOST_UPLOADS,
    MOST_WAITING_FETCHES,
    PARTS_WITHIN,
    UPLOAD_QUOTA,
    UPLOAD_WITHIN,
)
from domain.workspaces import (
    AUDIT_KEPT,
    LARGEST_ANSWER,
    LARGEST_POST,
    MAX_ITEMS,
    MAX_MEDIA,
    MAX_NAME,
    MAX_TEXT,
    MAX_VALUES,
    MOST_ACCOUNTS,
    MOST_VIEWS,
)
from media.fetch import MAX_BYTES as MOST_FETCHED_BYTES
from media.fetch import PER_SECOND, MinimumSpeed
from platforms.capabilities import MOST_CHOICES
from reconcile.uploads import MOST_AT_ONCE as MOST_FETCHED_AT_ONCE
from storage.base import MOST_PARTS, PART
from store.accounts.pending_connections import KEPT as CHOICES_KEPT
from store.audit import MOST_ENTRIES
from store.database import OF_REQUESTS
from store.media import KEPT as CHECKS_KEPT
from store.media import MOST_BYTES, MOST_FILES
from store.models import Base
from store.posts.calendar import AHEAD, BEHIND, CONTENT_LENGTH, MOST_TARGETS
from store.posts.calendar import MOST_POSTS as MOST_FEED_POSTS
from store.posts.counts import COUNT_WITHIN_S
from store.posts.imports import KEPT as IMPORTS_KEPT
from store.posts.imports import MOST_IMPORTS as MOST_IMPORTS_KEPT
from store.series.rows import OCCURRENCES_KEPT

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/limits.md").read_text()
KIB, MIB, GIB = 2**10, 2**20, 2**30
NUMBERS = {
    "campaigns, including": f"{MOST_CAMPAIGNS:,}; {MOST_BLACKOUTS}",
    "head: first line": f"{LARGEST_HEAD // KIB} KiB",
    "URL with its query": f"{LONGEST_ADDRESS // KIB} KiB",
    "time until the head": f"{ApiProtocol.head_s:g} s",
    "time until the body": f"{ApiProtocol.body_s:g} s",
    "body ": f"{MAX_BYTES // MIB} MiB",
    "nesting": f"{_MAX_DEPTH} levels",
    "values in a body": f"{MAX_VALUES:,}",
    "a name in a body": f"{MAX_NAME} characters",
    "any text": f"{MAX_TEXT:,} characters",
    "a URL of a media": f"{_LONGEST_URL:,} characters",
    "tags, account ids": f"{LONGEST_NAME} characters",
    "tiktokSettings": f"{_MAX_ROOT_SETTINGS:,} characters",
    "mediaItems": f"{MAX_ITEMS} items",
    "media of a post": f"{MAX_MEDIA:,}",
    "a post in a response": f"{LARGEST_POST // MIB} MiB",
    "the same with the earlier": f"{LARGEST_ANSWER // MIB} MiB",
    "problems in a response": f"{MAX_PROBLEMS}; {bulk_actions.MOST_PROBLEMS} of each",
    "an import (": f"{LARGE_BYTES // MIB} MiB, {MOST_ROWS:,} rows of {LARGEST_ROW // MIB} MiB",
    "values and targets of an import": f"{MOST_ROW_VALUES:,} and {MOST_ROW_TARGETS:,}",
    "problems of an import": f"{MOST_ROW_PROBLEMS:,}; {MOST_PROBLEMS_OF_ROW} of each row",
    "imports, undoing": f"{MOST_IMPORTS_OF_ONE} at a time, {MOST_IMPORTS} over all workspaces",
    "`imports`": f"the newest {MOST_IMPORTS_KEPT:,} of a workspace; deleted after {IMPORTS_KEPT.days} days",
    "posts of a request for many": f"{MOST_OF_A_REQUEST}",
    "seconds in which its files": f"{FILES_BEGIN_WITHIN_S:g}",
    "seconds in which its posts": f"{bulk_actions._LONGEST_S:g}",
    "open connections": f"{MOST_CONNECTIONS:,}",
    "from one address": f"{MOST_PER_ADDRESS:,}",
    "idle between requests": f"{KEEP_ALIVE_S} s",
    "responses over 64 KiB": f"{MOST_UNREAD // MIB} MiB, half of it",
    "speed at which a client": f"{SLOWEST // KIB} KiB a second over {Unread.check_s:g} s",
    "a response that the client": f"{SILENT_S} s",
    "requests with one key": f"{REQUESTS_PER_MINUTE} a minute",
    "posts created or changed": f"{POSTS_PER_MINUTE:,} a minute on average, bursts of {POSTS_BURST:,}",
    "drafts, scheduled": f"{MOST_OPEN_POSTS:,}",
    "posts in all": f"{MOST_POSTS:,}",
    "MiB of these posts": f"{MOST_MB:,}",
    "accounts, except": f"{MOST_ACCOUNTS:,}",
    "connections begun": f"{MOST_AN_HOUR} an hour",
    "accounts checked": f"{MOST_ACCOUNT_CHECKS} a minute",
    "requests for the values": f"{MOST_LISTS} a minute; {MOST_CHOICES:,} values",
    "bytes of posts": f"{WRITES_PER_S // KIB} KiB a second on average, bursts of {WRITE_BURST // GIB} GiB",
    "requests to edit": f"{MOST_REVISIONS}",
    "steps of one target": f"{MOST_ATTEMPTS:,}",
    "converted images": f"{MOST_FILES:,}, {MOST_BYTES // GIB} GiB",
    "media that a worker reads": f"{PER_SECOND // MIB} MiB a second",
    "validations that look": (
        f"{MOST_CHECKS_OF_ONE} at a time, {MOST_CHECKS} over all workspaces; {MOST_CHECKED_FILES} files"
    ),
    "posts that a request counts": f"{MOST_COUNTED:,}; {MOST_DAYS} days; {COUNT_WITHIN_S:g} s",
    "calendar views |": f"{MOST_VIEWS}",
    "posts of a calendar's feed": (
        f"{MOST_FEED_POSTS:,}, from {BEHIND.days} days ago to {AHEAD.days} days ahead, with {CONTENT_LENGTH} characters"
    ),
    "days of a calendar": (
        f"{CALENDAR_DAYS}; {MOST_OF_DAY}, with {MOST_TARGETS} targets each; {MOST_COUNTED:,} posts in all; "
        f"{COUNT_WITHIN_S:g} s"
    ),
    "requests that count posts": f"{MOST_COUNTS_OF_ONE} at a time, {MOST_COUNTS} over all workspaces",
    "`series`": f"{MOST_SERIES:,} of a workspace",
    "`occurrences`": f"at most {MOST_AHEAD} ahead of their time, deleted {OCCURRENCES_KEPT.days} days after it",
    "requests that wait for an outcome": f"{MOST_WAITING:,}",
    "requests that wait for the calendar": f"{MOST_FOLLOWERS} with its keys, and {MOST_FOLLOWERS} by its views",
    "simultaneous requests": f"{MOST_REPEATS}",
    "a file |": f"{LARGEST_UPLOAD:,} bytes",
    "a file in a form": f"{LARGEST_FORM_FILE:,} bytes",
    "a part of an upload": f"{PART // MIB} MiB; at most {MOST_PARTS:,} parts",
    "speed at which a file": f"{SLOWEST_UPLOAD // KIB} KiB a second",
    "time until an upload begins": f"{UPLOAD_WITHIN.seconds // 3600} hour; parts {PARTS_WITHIN.days} days",
    "files sent": f"{MOST_WRITERS_OF_ONE} of a workspace, {MOST_WRITERS} in all",
    "files that workers are to fetch": (
        f"{MOST_WAITING_FETCHES} of a workspace; {FETCHES_OF_WORKSPACE} of them at a time, {MOST_FETCHED_AT_ONCE} in "
        "each of two workers"
    ),
    "a file that a worker fetches": (
        f"{MOST_FETCHED_BYTES:,} bytes, {MinimumSpeed().longest // 60} minutes; "
        f"{len(FETCH_AGAIN_AFTER) + 1} attempts in some "
        f"{sum(FETCH_AGAIN_AFTER, timedelta()) // timedelta(minutes=10) * 10} minutes"
    ),
    "files of a workspace": f"{MOST_UPLOADS:,}",
    "MiB of these files": f"{UPLOAD_QUOTA // MIB:,}",
    "database connections": f"{OF_REQUESTS.connection:g} s",
    "`audit_events`": f"the newest {MOST_ENTRIES} of a post; deleted after {AUDIT_KEPT.days} days",
    "`choice_lists`": f"{CHOICES_KEPT.seconds // 60} minutes",
    "`media_checks`": f"{CHECKS_KEPT.seconds // 60} minutes",
}


def test_every_number_is_that_of_the_code() -> None:
    for row, number in NUMBERS.items():
        (line,) = [line for line in PAGE.splitlines() if line.startswith(f"| {row}")]
        assert re.search(rf"(?<![\d,]){re.escape(number)}(?![\d,]*\d)", line.split("|", 2)[2]), row


@pytest.mark.parametrize("page", ["docs/limits.md", "ARCHITECTURE.md"])
def test_every_table_has_a_row(page: str) -> None:
    cells = [line.split("|")[1] for line in (ROOT / page).read_text().splitlines() if line.startswith("| `")]
    named = {name for cell in cells for name in re.findall(r"`(\w+)`", cell)}
    assert set(Base.metadata.tables) - named == set()
