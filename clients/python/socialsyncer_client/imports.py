"""Requests that import files of posts."""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from socialsyncer_client.generated.models import Campaign, CreateCampaign, Import
from socialsyncer_client.retries import IDEMPOTENCY_KEY

TIMEOUT_S = 120.0
"""An import of 10,000 posts takes longer than other requests."""
_TYPES = {".csv": "text/csv", ".ndjson": "application/x-ndjson", ".jsonl": "application/x-ndjson"}
_CELL_END = re.compile(r"[,;\t]")


@dataclass(frozen=True)
class CampaignImport:
    """A campaign, and the outcome of the import of its posts."""

    campaign: Campaign
    result: Import


def import_request(
    path: str | os.PathLike[str],
    *,
    campaign_id: str | None,
    timezone: str | None,
    on_existing: str,
    on_conflict: str,
    on_error: str,
    dry_run: bool,
    idempotency_key: str,
) -> dict[str, Any]:
    """Return the arguments of the request that imports a file."""
    file = Path(path)
    content_type = _TYPES.get(file.suffix.lower())
    if content_type is None:
        raise ValueError(f"{file.name} must end with one of {', '.join(_TYPES)}")
    params = {"campaignId": campaign_id, "timezone": timezone, "onExisting": on_existing, "onError": on_error}
    if on_conflict != "refuse":
        params["onConflict"] = on_conflict
    if dry_run:
        params["dryRun"] = "true"
    return {
        "method": "POST",
        "url": "/v1/imports",
        "params": {name: value for name, value in params.items() if value is not None},
        "headers": {"Content-Type": content_type, IDEMPOTENCY_KEY: idempotency_key},
        "content": file.read_bytes(),
        "timeout": TIMEOUT_S,
    }


def campaign_body(campaign: CreateCampaign | Mapping[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the body that creates a campaign, and a key that is the same for the same body.

    So a program that runs again finds the campaign of its first run.
    """
    body = dict(campaign) if isinstance(campaign, Mapping) else campaign.to_dict()
    canonical = json.dumps(body, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return body, f"campaign-from-csv/{hashlib.sha256(canonical).hexdigest()[:32]}"


def require_external_ids(path: str | os.PathLike[str]) -> None:
    """Raise ValueError unless the file names the column externalId: without it a repeat would create posts twice."""
    with Path(path).open(encoding="utf-8-sig") as file:
        columns = [cell.strip().strip('"') for cell in _CELL_END.split(file.readline())]
    if "externalId" not in columns:
        raise ValueError(f"{Path(path).name} needs a column externalId, so that it can be sent again")
