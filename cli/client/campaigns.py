"""Campaigns that a person fills from a file and steers from a terminal."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cli.client.api import Answer, ApiClient
from cli.errors import UserError

_TYPES = {
    ".csv": "text/csv",
    ".tsv": "text/csv",
    ".json": "application/json",
    ".ndjson": "application/x-ndjson",
    ".jsonl": "application/x-ndjson",
}
_LARGEST_FILE = 32 * 1024 * 1024
"""The API's limit for an import (docs/limits.md)."""
_COUNTS = ("created", "updated", "unchanged", "ignored", "failed")
_MOST_CAMPAIGNS = 10_000


def campaign_path(campaign_id: str, below: str = "") -> str:
    """Return the path of a campaign, or of an operation on it."""
    return f"/v1/campaigns/{quote(campaign_id, safe='')}{below}"


@dataclass(frozen=True, slots=True)
class PostsFile:
    """A file of posts, and how its rows are to be taken."""

    content: bytes
    content_type: str
    query: Mapping[str, str]

    def preview(self, client: ApiClient, campaign_id: str | None) -> dict[str, Any]:
        """Return what importing the file would do."""
        # A dry run uses up no key, so a random one is as good as none.
        return self._send(client, {**self._query(campaign_id), "dryRun": "true"}, None).body

    def send(self, client: ApiClient, campaign_id: str, key: str | None) -> Answer:
        """Import the file. Its own digest is its key: the same file is not imported twice within 24 hours."""
        query = self._query(campaign_id)
        return self._send(client, query, key or f"import/{self._digest(query)}")

    def _query(self, campaign_id: str | None) -> dict[str, str]:
        return {**self.query, **({"campaignId": campaign_id} if campaign_id else {})}

    def _send(self, client: ApiClient, query: Mapping[str, str], key: str | None) -> Answer:
        headers = {"Content-Type": self.content_type}
        return client.change("POST", "/v1/imports", key, params=query, headers=headers, content=self.content)

    def _digest(self, query: Mapping[str, str]) -> str:
        about = "\n".join(f"{name}={value}" for name, value in sorted(query.items()))
        return hashlib.sha256(f"{about}\n".encode() + self.content).hexdigest()


def read_posts_file(path: Path, **query: str | None) -> PostsFile:
    """Return a file of posts; its ending says how it is written. Raises UserError."""
    content_type = _TYPES.get(path.suffix.lower())
    if content_type is None:
        raise UserError(f"{path} must end in {', '.join(_TYPES)}: the ending says how its rows are written.")
    try:
        with path.open("rb") as file:
            content = file.read(_LARGEST_FILE + 1)
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error
    if len(content) > _LARGEST_FILE:
        raise UserError(f"{path} has more than the 32 MiB of an import: divide it.")
    return PostsFile(content, content_type, {name: value for name, value in query.items() if value is not None})


def import_lines(answer: Mapping[str, Any], *, is_preview: bool) -> list[str]:
    """Return what an import has done, or would do."""
    counts = ", ".join(f"{answer[name]:,} {name}" for name in _COUNTS if answer[name]) or "nothing"
    rows = "row" if answer["total"] == 1 else "rows"
    lines = [f"{'Would be done' if is_preview else 'Done'}, of {answer['total']:,} {rows}: {counts}."]
    for row in answer["results"]:
        problems = "; ".join(str(problem["error"]) for problem in row.get("errors") or [])
        if problems:
            lines.append(f"  row {row['row']}: {problems}")
    lines += [f"  Warning: {warning['error']}" for warning in answer["warnings"]]
    return lines


def require_new_name(client: ApiClient, name: str) -> None:
    """Raise UserError if a campaign that has not ended has the name: a second one would be a mistake."""
    for campaign in client.pages("/v1/campaigns", {}, "campaigns", _MOST_CAMPAIGNS):
        if campaign["name"] == name and campaign["status"] != "ended":
            raise UserError(f"A campaign of this name exists: add the posts to it by --campaign {campaign['id']}.")


def create_campaign(client: ApiClient, name: str, timezone: str | None) -> str:
    """Return the id of a new campaign."""
    body = {"name": name} | ({"timezone": timezone} if timezone else {})
    campaign_id: str = client.change("POST", "/v1/campaigns", json=body).body["id"]
    return campaign_id
