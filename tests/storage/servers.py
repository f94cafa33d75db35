"""Servers of S3's API on this machine: rclone's for development, Ceph's gateway as in production."""

import os
import subprocess
import time
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import which
from sys import executable
from urllib.request import urlopen

import pytest

from cli.stack.ports import free_port
from storage.s3 import S3Storage
from storage.s3_client import Bucket, open_client

KEY_ID, SECRET = "TESTKEYOFSTORAGE", "a-secret-of-the-tests-that-no-log-shows"
NAME = "media"
_READY_WITHIN_S = 100


@dataclass(frozen=True, slots=True)
class Server:
    """A server that runs."""

    kind: str
    url: str

    @property
    def address(self) -> str:
        """Return a new place in the bucket, as a setting names it."""
        return f"s3://{NAME}/{uuid.uuid4().hex}?endpoint={self.url}"

    def open(self) -> S3Storage:
        """Return a new store."""
        return S3Storage(Bucket.parse(self.address))


@contextmanager
def credentials() -> Iterator[None]:
    """Give botocore the servers' credentials, and not this machine's."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_ACCESS_KEY_ID", KEY_ID)
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        yield


@contextmanager
def rclone(folder: Path, port: int | None = None) -> Iterator[Server]:
    """Run rclone's server over a folder, again if a port is named; it is killed at the end."""
    program = Path(executable).parent / "rclone"
    if not program.exists():
        pytest.skip("rclone is not installed: uv sync --group dev")
    (folder / NAME).mkdir(parents=True, exist_ok=True)
    port = port or free_port()
    where = ("--addr", f"127.0.0.1:{port}", "--auth-key", f"{KEY_ID},{SECRET}", "--config", os.devnull)
    with _running([str(program), "serve", "s3", *where, str(folder)], folder.with_suffix(".log")):
        server = Server("rclone", f"http://127.0.0.1:{port}")
        _wait_for(server.url)
        yield server


@contextmanager
def radosgw(folder: Path) -> Iterator[Server]:
    """Run Ceph's gateway over a monitor and one disk in memory. Skips the test if Debian's packages are missing."""
    needed = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "monmaptool", "ceph")
    if missing := [name for name in needed if not which(name)]:
        pytest.skip(f"{', '.join(missing)} not installed: apt-get install radosgw ceph-mon ceph-osd ceph-common")
    folder.mkdir()
    monitor, gateway, fsid = free_port(), free_port(), str(uuid.uuid4())
    config = folder / "ceph.conf"
    config.write_text(_CEPH.format(folder=folder, monitor=monitor, gateway=gateway, fsid=fsid))

    def run(*command: str) -> str:
        arguments = [command[0], "-c", str(config), *command[1:]]
        return subprocess.run(arguments, check=True, capture_output=True, text=True, timeout=60).stdout

    for name in ("mon", "osd", "rgw"):
        (folder / name).mkdir()
    monmap = str(folder / "monmap")
    run("monmaptool", "--create", "--addv", "a", f"[v1:127.0.0.1:{monitor}]", "--fsid", fsid, monmap)
    run("ceph-mon", "--mkfs", "-i", "a", "--monmap", monmap)
    with ExitStack() as stack:

        def start(name: str, *command: str) -> None:
            arguments = [command[0], "-f", "-c", str(config), *command[1:]]
            stack.enter_context(_running(arguments, folder / f"{name}.out"))

        start("mon", "ceph-mon", "-i", "a")
        disk = str(uuid.uuid4())
        run("ceph", "osd", "new", disk)
        run("ceph-osd", "-i", "0", "--mkfs", "--osd-uuid", disk)
        start("osd", "ceph-osd", "-i", "0", "--no-mon-config")
        start("gateway", "radosgw", "-n", "client.rgw")
        server = Server("radosgw", f"http://127.0.0.1:{gateway}")
        _wait_for(server.url)
        keys = (f"--access-key={KEY_ID}", f"--secret-key={SECRET}")
        run("radosgw-admin", "user", "create", "--uid=tests", "--display-name=tests", *keys)
        with credentials():
            open_client(Bucket.parse(server.address)).create_bucket(Bucket=NAME)
        yield server


@contextmanager
def _running(command: list[str], log: Path) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield
        finally:
            process.kill()
            process.wait()


def _wait_for(url: str) -> None:
    deadline = time.monotonic() + _READY_WITHIN_S
    while time.monotonic() < deadline:
        with suppress(ConnectionError, TimeoutError):
            try:
                urlopen(url, timeout=5).close()
            except OSError as error:
                if not hasattr(error, "code"):
                    time.sleep(0.1)
                    continue
            return
    raise TimeoutError(url)


# A cluster of one monitor and one disk in memory, without authentication between them. Debian's default folder of the
# disk's classes is relative, so it must be named. The monitors' map is too: a disk that asks before it has got the map
# from the monitor names no cluster, is refused with "wrong fsid" and ends.
_CEPH = """
[global]
fsid = {fsid}
mon_host = v1:127.0.0.1:{monitor}
monmap = {folder}/monmap
ms_bind_msgr2 = false
public_network = 127.0.0.0/8
cluster_network = 127.0.0.0/8
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 1
osd_crush_chooseleaf_type = 0
osd_class_dir = /usr/lib/x86_64-linux-gnu/rados-classes
osd_objectstore = memstore
memstore_device_bytes = 2147483648
mon_data = {folder}/mon
osd_data = {folder}/osd
rgw_data = {folder}/rgw
run_dir = {folder}
crash_dir = {folder}
log_file = {folder}/$name.log
admin_socket =
pid_file =
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 10000
rgw_run_sync_thread = false
rgw_enable_gc_threads = false
rgw_enable_lc_threads = false
rgw_enable_quota_threads = false
rgw_thread_pool_size = 32
rgw_frontends = beast endpoint=127.0.0.1:{gateway}
"""
