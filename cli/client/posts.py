"""Posts that a person writes, watches and changes from a terminal."""

import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cli.client.api import ApiClient
from cli.client.refusals import ExitCode
from cli.errors import UserError
from domain.content import parse_named_media

_FIRST_WAIT_S, _LONGEST_WAIT_S, _GROWTH = 1.0, 15.0, 1.5
_OVER = {"published": ExitCode.DONE, "partial": ExitCode.NOT_PUBLISHED, "failed": ExitCode.NOT_PUBLISHED}
_LARGEST_BODY = 1024 * 1024
"""The API's limit for a body (docs/limits.md)."""


def post_path(post_id: str, below: str = "") -> str:
    """Return the path of a post, or of an operation on it."""
    return f"/v1/posts/{quote(post_id, safe='')}{below}"


@dataclass(frozen=True, slots=True)
class Draft:
    """The fields of a post as the options of a command name them."""

    text: str | None = None
    accounts: Sequence[str] = ()
    media: Sequence[str] = ()
    tags: Sequence[str] = ()
    at: str | None = None
    timezone: str | None = None
    campaign: str | None = None
    external_id: str | None = None
    is_draft: bool = False
    is_now: bool = False

    def body(self) -> dict[str, Any]:
        """Return the body of a request. Raises UserError."""
        if [self.at is not None, self.is_draft, self.is_now].count(True) != 1:
            raise UserError("Say when the post is to be published: one of --now, --at TIME and --draft.")
        fields = {
            "content": sys.stdin.read() if self.text == "-" else self.text,
            "platforms": [target(name) for name in self.accounts],
            "mediaItems": [_medium(name) for name in self.media],
            "tags": list(self.tags),
            "scheduledFor": self.at,
            "timezone": self.timezone,
            "campaignId": self.campaign,
            "externalId": self.external_id,
            "isDraft": self.is_draft or None,
            "publishNow": self.is_now or None,
        }
        return {name: value for name, value in fields.items() if value not in (None, [])}


def split_account(name: str) -> tuple[str, str]:
    """Return platform and id of an account that is named as PLATFORM/ID. Raises UserError."""
    platform, _, account_id = name.partition("/")
    if not platform or not account_id:
        raise UserError(f"Give the account as PLATFORM/ID, such as twitter/tw_456, not {name!r}.")
    return platform, account_id


def target(name: str) -> dict[str, str]:
    """Return an account that is named as PLATFORM/ID as the API names it. Raises UserError."""
    platform, account_id = split_account(name)
    return {"platform": platform, "accountId": account_id}


def _medium(name: str) -> dict[str, str]:
    medium = parse_named_media(name)
    if medium is None:
        raise UserError(f"The address does not show the type of the file: put it in front, as in image:{name}.")
    return medium


def read_body(file: Path) -> dict[str, Any]:
    """Return the JSON object in a file, or on stdin if it is `-`. Raises UserError."""
    try:
        if str(file) == "-":
            text = sys.stdin.read(_LARGEST_BODY + 1)
        else:
            with file.open(encoding="utf-8") as opened:
                text = opened.read(_LARGEST_BODY + 1)
        if len(text) > _LARGEST_BODY:
            raise UserError(f"{file} has more than the 1 MiB that the API takes.")
        body = json.loads(text)
    except OSError as error:
        raise UserError(f"{file} cannot be read: {error.strerror}.") from error
    except ValueError as error:
        raise UserError(f"{file} is not JSON: {error}.") from error
    if not isinstance(body, dict):
        raise UserError(f"{file} must contain a JSON object: the body of POST /v1/posts.")
    return body


def exit_code(post: Mapping[str, Any]) -> ExitCode:
    """Return the exit code that says how far a post that was to be published is."""
    return _OVER.get(post["status"], ExitCode.STILL_OPEN)


def wait_for_all(
    client: ApiClient, post_ids: Sequence[str], timeout_s: float, passed: Callable[[], None]
) -> list[dict[str, Any]]:
    """Return posts once their publishing is over, or as they are when the time has passed; call `passed` after each.

    Raises UserError for a draft.
    """
    until = time.monotonic() + timeout_s
    posts = []
    for post_id in post_ids:
        posts.append(_wait_for(client, post_id, until))
        passed()
    return posts


def _wait_for(client: ApiClient, post_id: str, until: float) -> dict[str, Any]:
    wait_s = _FIRST_WAIT_S
    while True:
        post = client.get(post_path(post_id))
        rest_s = until - time.monotonic()
        if post["status"] in _OVER or rest_s <= 0:
            return post
        if post["status"] == "draft":
            raise UserError(f"{post_id} is a draft: it is not published by itself.")
        due_s = _seconds_until_due(post)
        time.sleep(min(rest_s, due_s if due_s > 0 else wait_s))
        if due_s <= 0:
            wait_s = min(wait_s * _GROWTH, _LONGEST_WAIT_S)


def _seconds_until_due(post: Mapping[str, Any]) -> float:
    if post["status"] != "scheduled" or not post.get("scheduledFor"):
        return 0.0
    return (datetime.fromisoformat(post["scheduledFor"]) - datetime.now(UTC)).total_seconds()
