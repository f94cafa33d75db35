"""The npm package of the TypeScript client: what it contains, and what its programs do."""

import csv
import json
import os
import re
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from clients.building.sources import product_version
from domain.webhooks import new_secret, sign
from tests.api.media.files import JPEG
from tests.clients.conftest import LimitedApi
from tests.clients.typescript.conftest import Program
from tests.clients.typescript.project import ROOT
from tests.stack import Stack

pytestmark = [pytest.mark.thorough, pytest.mark.timeout(600)]
LINES = 20
LARGEST_WHOLE = 32 * 1024 * 1024
"""Larger files go in parts, as uploads.ts has it."""
NETWORKS = ["bluesky", "facebook", "linkedin", "mastodon", "threads", "twitter"]


def test_the_package_is_small_typed_and_of_the_products_version(project: Path) -> None:
    package = project / "node_modules/socialsyncer-client"
    manifest = json.loads((package / "package.json").read_text())
    assert manifest["version"] == product_version()
    assert not {"dependencies", "peerDependencies", "scripts", "devDependencies"} & set(manifest)
    assert {path.name for path in package.iterdir()} == {"dist", "LICENSE", "README.md", "package.json"}
    scripts = {path.relative_to(package / "dist"): path.read_text() for path in package.glob("dist/**/*.js")}
    uses_node = {str(path) for path, text in scripts.items() if re.search(r"[\"']node:|require\(", text)}
    assert uses_node == {"node.js"}, "the core runs in browsers and edge workers"
    assert all(path.with_suffix(".d.ts").exists() for path in package.glob("dist/**/*.js"))


async def test_requests_are_repeated_only_if_that_is_safe(program: Program) -> None:
    missing_ids = (ROOT / "tests/clients/missing_ids.json").read_text()
    assert await program("retries", missing_ids) == "done\n"


async def test_calls_side_by_side_wait_for_a_used_up_limit(program: Program, limited_api: LimitedApi) -> None:
    calls = limited_api.burst + 2
    assert await program("limited", str(calls), key=limited_api.key, url=limited_api.address) == "done\n"
    assert limited_api.statuses[200] == calls
    assert limited_api.statuses[429] <= 4


async def test_a_program_publishes_waits_and_follows_events(program: Program, stack: Stack) -> None:
    text = "Published by a program in TypeScript"
    output = await program("use", stack.accounts["twitter"].id, text)
    assert output.startswith("post_")
    assert len(await stack.public(text)) == 1


async def test_files_are_uploaded_whole_and_in_parts(
    program: Program, stack: Stack, fetching: None, tmp_path: Path
) -> None:
    video = b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom" + os.urandom(LARGEST_WHOLE)
    (tmp_path / "photo.jpg").write_bytes(JPEG)
    (tmp_path / "large.mp4").write_bytes(video)
    output = await program(
        "upload", *(str(tmp_path / name) for name in ("photo.jpg", "large.mp4")), stack.accounts["twitter"].id
    )
    assert output.split() == ["true", *(sha256(content).hexdigest() for content in (JPEG, video))]


async def test_signatures_are_verified(program: Program) -> None:
    secret, older, now = new_secret(), new_secret(), datetime.now(UTC)
    body = json.dumps({"event": "post.published", "data": {"externalId": "Zürich"}}, ensure_ascii=False)

    async def verify(
        secrets: list[str], at: datetime, changed: str = body, tolerance: int | None = None, signed: str = body
    ) -> set[str]:
        headers = sign([older, secret], "evt_1", at, signed.encode())
        request = {"secret": secrets, "body": changed, "headers": headers, "tolerance": tolerance}
        output = await program("verify", json.dumps({name: part for name, part in request.items() if part is not None}))
        return set(output.splitlines())

    right = {'post.published {"externalId":"Zürich"}'}
    old = now - timedelta(seconds=400)
    assert await verify([secret], now) == right
    assert await verify([new_secret(), older], now) == right
    assert await verify([secret], old, tolerance=500) == right
    assert await verify([secret], old) == {"refused: The request is too old, or comes from the future"}
    assert await verify([secret], now, body.replace("Z", "z")) == {"refused: No signature of the request is right"}
    for text in ("no JSON", "[]"):
        refused = {"refused: The request is signed, but its body is no event"}
        assert await verify([secret], now, text, signed=text) == refused
    assert await verify([new_secret()], now) == {"refused: No signature of the request is right"}
    assert await verify(["whsec_"], now) == {"refused: The secret is not one of a webhook: whsec_ and base64"}


async def test_the_programs_of_the_page_run(
    program: Program, stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, campaign = re.findall(r"```ts\n(.*?)```", (ROOT / "docs/clients.md").read_text(), re.DOTALL)
    assert len(first.splitlines()) <= LINES
    assert len([line for line in campaign.splitlines() if line.strip()]) <= LINES
    workspace_id, key = await stack.new_workspace()
    accounts = {network: (await stack.connect(network, workspace_id=workspace_id)).id for network in NETWORKS}
    assert await program("page-1", key=key) == "published\n"
    write_campaign(tmp_path / "spring.csv", accounts)
    lines = (await program("page-2", key=key)).splitlines()
    assert lines[:4] == ["60 created []", "1 corrected", "60 moved", "7 made drafts"], lines
    assert lines[-1] == "paused 53 scheduled 7 drafts"
    again = (await program("page-2", key=key)).splitlines()
    assert again[-1] == lines[-1], "a program that runs again changes nothing more"


def write_campaign(file: Path, accounts: dict[str, str]) -> None:
    """Write a campaign of 60 posts on six networks and in two zones, as a spreadsheet has it."""
    with file.open("w", newline="") as opened:
        rows = csv.writer(opened)
        rows.writerow(["externalId", "content", "platforms", "scheduledFor", "timezone", "tags"])
        for day in range(60):
            network = NETWORKS[day % len(NETWORKS)]
            time = datetime(2031, 2, 24, 9) + timedelta(days=day)  # noqa: DTZ001 wall time
            zone = "Europe/Berlin" if day % 2 else "America/New_York"
            target = f"{network}:{accounts[network]}"
            rows.writerow(
                [f"ts-{day}", f"Spring in TypeScript, day {day}", target, time.isoformat(), zone, f"week-{day // 7}"]
            )
