"""The images of other projects: one file has all of them, and a command adds their digests."""

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from deploy.images import images

ROOT = Path(__file__).parents[2]
SERVICES = (ROOT / "deploy/services.yml").read_text()
IMAGES = images()
DIGEST = "sha256:" + "d1ce" * 16


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """Copy what `python -m deploy.images` needs into a folder where it may write."""
    shutil.copytree(ROOT / "deploy", tmp_path / "deploy")
    return tmp_path


def run(command: str, folder: Path, programs: str = "/usr/bin:/bin") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "deploy.images", command],
        cwd=folder,
        env={"PATH": programs},
        capture_output=True,
        check=False,
        text=True,
    )


def fake_docker(folder: Path, digest: str) -> str:
    """Put a docker that reports one digest for every image into a folder; no registry is available here."""
    docker = folder / "docker"
    manifest = json.dumps({"digest": digest})
    docker.write_text(f"#!/bin/sh\n[ \"$1 $2 $3\" = 'buildx imagetools inspect' ] && echo '{manifest}'\n")
    docker.chmod(0o755)
    return f"{folder}:/usr/bin:/bin"


def test_one_file_has_every_image_of_another_project() -> None:
    used = set(re.findall(r"\$\{(\w+_IMAGE):\?", SERVICES))
    assert used == IMAGES.keys()
    assert set(re.findall(r"^ +image: (?!socialsyncer:)(.*)", SERVICES, re.MULTILINE)) == {
        f"${{{name}:?docker-compose.yml takes it from deploy/images.env}}" for name in used - {"PYTHON_IMAGE"}
    }
    built_on = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert set(built_on) == {"${PYTHON_IMAGE}"}
    described = (ROOT / ".env.example").read_text()
    assert all(f"#{name}=\n" in described for name in IMAGES)


def test_the_schema_tool_and_the_server_are_of_one_version() -> None:
    assert IMAGES["TEMPORAL_IMAGE"].partition(":")[2] == IMAGES["TEMPORAL_TOOLS_IMAGE"].partition(":")[2]


def test_check_fails_as_long_as_a_digest_is_missing_and_pin_adds_all(copied: Path) -> None:
    file = copied / "deploy/images.env"
    file.write_text(re.sub(r"@sha256:\S+", "", file.read_text()))
    missing = run("check", copied)
    assert missing.returncode == 1
    assert missing.stdout.count("NO DIGEST") == len(IMAGES)
    pinned = run("pin", copied, fake_docker(copied, DIGEST))
    assert (pinned.returncode, pinned.stderr) == (0, "")
    lines = [line for line in file.read_text().splitlines() if not line.startswith("#")]
    assert lines == [f"{name}={tag}@{DIGEST}" for name, tag in IMAGES.items()]
    assert run("check", copied).returncode == 0
    later = run("pin", copied, fake_docker(copied, "sha256:" + "beef" * 16))
    assert later.stdout.count("beef" * 16) == len(IMAGES)


class FakeRegistry(BaseHTTPRequestHandler):
    """A registry of images that has every tag of every image; the digest of each is that of its manifest's bytes."""

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        manifest = manifest_bytes(self.path) if "/manifests/" in self.path else b"{}"
        self.send_response(200)
        self.send_header("Content-Type", "application/vnd.oci.image.index.v1+json")
        self.send_header("Docker-Content-Digest", f"sha256:{hashlib.sha256(manifest).hexdigest()}")
        self.send_header("Content-Length", str(len(manifest)))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(manifest)

    def log_message(self, *_: object) -> None:
        """Print nothing."""


def manifest_bytes(path: str) -> bytes:
    """Return the manifest of an image for every system: another one for each image."""
    name = path.partition("/manifests/")[0]
    index = {"schemaVersion": 2, "mediaType": "application/vnd.oci.image.index.v1+json", "manifests": []}
    return json.dumps(index | {"annotations": {"name": name}}).encode()


@pytest.fixture
def registry() -> Iterator[str]:
    """Serve a fake registry; yields its name in a tag."""
    with ThreadingHTTPServer(("127.0.0.1", 0), FakeRegistry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


def has_buildx() -> bool:
    if (docker := shutil.which("docker")) is None:
        return False
    return subprocess.run([docker, "buildx", "version"], capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(not has_buildx(), reason="needs docker with buildx")
def test_pin_asks_the_registry_that_a_tag_names(copied: Path, registry: str) -> None:
    file = copied / "deploy/images.env"
    file.write_text("".join(f"{name}={registry}/{tag}\n" for name, tag in IMAGES.items()))
    pinned = run("pin", copied, os.environ["PATH"])
    assert pinned.returncode == 0, pinned.stderr
    paths = {name: f"/v2/{tag.rpartition(':')[0]}/manifests/" for name, tag in IMAGES.items()}
    assert file.read_text().splitlines() == [
        f"{name}={registry}/{tag}@sha256:{hashlib.sha256(manifest_bytes(paths[name])).hexdigest()}"
        for name, tag in IMAGES.items()
    ]
    assert run("check", copied).returncode == 0


def test_pin_writes_nothing_but_digests(copied: Path) -> None:
    file = copied / "deploy/images.env"
    before = file.read_text()
    refused = run("pin", copied, fake_docker(copied, "latest"))
    assert refused.returncode != 0
    assert "no SHA-256 digest" in refused.stderr
    assert file.read_text() == before


def test_the_page_on_production_admits_that_digests_are_missing() -> None:
    has_all = run("check", ROOT).returncode == 0
    page = (ROOT / "docs/production.md").read_text()
    assert ("**This release has no digests**" in page) is not has_all
